// Peers by supabase-js: contractors of one event who agreed to be matched.
import assert from 'node:assert/strict'
import test from 'node:test'
import { call, client, world } from './setup.mjs'

const { event, people } = world.alpha
const organizer = client('alphaOrganizer')
const me = client('alpha0')

test('contractors are found, matched, seated and rated', async () => {
  const ids = []
  for (const [number, person] of people.entries()) {
    const signedIn = client(`alpha${number}`)
    const made = await signedIn.from('contractors').insert({ profile_id: person.sub, first_name: `C${number}`, city: 'Austin',
      state: ['TX', 'AZ', 'OH'][number], focus_areas: ['hiring'], services_offered: ['HVAC'], revenue_tier: '1m_2m', team_size: 10 }).select('id').single()
    assert.equal(made.error, null)
    assert.equal((await organizer.from('event_attendees').insert({ event_id: event, contractor_id: made.data.id })).error, null)
    assert.equal((await signedIn.from('event_attendees').update({ peer_matching_opt_in: true }).eq('contractor_id', made.data.id)).error, null)
    ids.push(made.data.id)
  }
  const found = await call(me, 'find_peer_matches', { p_event_id: event, p_contractor_id: ids[0] })
  assert.deepEqual(found.map((row) => [row.match_score, row.match_type]), [[1, 'ideal_peer'], [1, 'ideal_peer']])
  assert.ok(!('phone' in found[0]) && !('email' in found[0]))
  assert.equal((await me.rpc('find_peer_matches', { p_event_id: event, p_contractor_id: ids[1] })).status, 403)
  await call(me, 'find_cross_event_peers', { p_contractor_id: ids[0] })
  await call(organizer, 'generate_event_peer_matches', { p_event_id: event })
  const mine = await call(me, 'get_contractor_matches', { p_event_id: event, p_contractor_id: ids[0] })
  assert.equal(mine.length, 2)
  const tables = await call(organizer, 'form_peer_groups', { p_event_id: event, p_size: 3 })
  assert.deepEqual(new Set(tables.map((row) => row.contractor_id)), new Set(ids))
  await call(organizer, 'record_peer_connection', { p_match_id: mine[0].id, p_meeting_details: { scheduled: true, location: 'Table 5' } })
  const rated = await call(client('service'), 'record_peer_feedback', { p_match_id: mine[0].id, p_contractor_id: ids[0], p_rating: 9 })
  assert.ok(rated)
  assert.ok((await call(organizer, 'peer_match_metrics', { p_event_id: event })).length > 0)
  await call(organizer, 'find_super_connectors', { p_event_id: event })
  assert.equal((await me.rpc('peer_match_metrics', { p_event_id: event })).status, 403)
})
