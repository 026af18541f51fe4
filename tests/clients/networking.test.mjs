// Matches and meetings by supabase-js.
import assert from 'node:assert/strict'
import test from 'node:test'
import { call, client, world } from './setup.mjs'

const { event, starts, people } = world.alpha
const organizer = client('alphaOrganizer')
const [me, her, him] = people.map((_, number) => client(`alpha${number}`))
const [mine, hers, his] = people.map((person) => person.id)

async function prefer(who, attendee, wants, offers) {
  const told = await who.from('networking_preferences').insert({ attendee_id: attendee, event_id: event, looking_for: wants, can_offer: offers })
  assert.equal(told.error, null)
}

/** An hour after the event has begun, plus minutes. */
function at(minutes) {
  return new Date(Date.parse(starts) + (60 + minutes) * 60e3).toISOString()
}

test('from a suggestion to a meeting that took place', async () => {
  await prefer(me, mine, ['investors'], ['expertise'])
  await prefer(her, hers, ['mentors'], ['investment'])
  await prefer(him, his, ['talent'], [])
  const previewed = await call(me, 'preview_networking_matches', { p_attendee_id: mine, p_event_id: event, p_algorithm: 'goal_based' })
  assert.equal(previewed[0].other_attendee_id, hers)
  assert.equal(previewed[0].compatibility_score, 1)
  const suggested = await call(me, 'generate_networking_matches', { p_attendee_id: mine, p_event_id: event })
  const match = suggested.find((row) => row.other_attendee_id === hers).match_id
  assert.equal((await him.rpc('accept_match', { p_match_id: match })).status, 403)
  await call(me, 'accept_match', { p_match_id: match })
  assert.equal((await call(her, 'accept_match', { p_match_id: match })).status, 'mutual_accepted')

  const pair = { p_attendee_1: mine, p_attendee_2: hers, p_duration_minutes: 15 }
  assert.ok((await call(me, 'find_meeting_slots', pair)).length > 0)
  const when = { p_attendee_id: mine, p_start_time: at(0), p_end_time: at(15) }
  assert.equal(await call(me, 'check_meeting_availability', when), true)
  assert.deepEqual(await call(me, 'meeting_conflicts', when), [])
  assert.equal((await him.rpc('check_meeting_availability', when)).status, 403)
  const proposed = await call(me, 'schedule_meeting', { ...pair, p_start_time: at(0) })
  const meeting = { p_meeting_id: proposed.meeting_id ?? proposed.id }
  assert.equal((await him.rpc('confirm_meeting', meeting)).status, 403)
  await call(her, 'confirm_meeting', meeting)
  await call(me, 'reschedule_meeting', { ...meeting, p_start_time: at(30) })
  assert.match(await call(me, 'meeting_ics', meeting), /BEGIN:VEVENT/)
  const rows = await call(me, 'get_meetings', { p_attendee_id: mine, p_event_id: event })
  assert.equal(rows[0].other_attendee_id, hers)
  assert.equal((await him.rpc('get_meetings', { p_attendee_id: mine })).status, 403)
  // It lies in the future: neither over nor to be rated yet.
  assert.deepEqual([(await me.rpc('complete_meeting', meeting)).status, (await me.rpc('submit_meeting_feedback', { ...meeting, p_rating: 5 })).status], [409, 409])
  assert.equal((await call(her, 'cancel_meeting', meeting)).status, 'cancelled')
})

test('who is declined, blocked or reported', async () => {
  const suggested = await call(him, 'generate_networking_matches', { p_attendee_id: his, p_event_id: event })
  if (suggested.length) assert.equal((await call(him, 'decline_match', { p_match_id: suggested[0].match_id })).status, 'declined')
  await call(him, 'block_person', { p_attendee_id: his, p_other_attendee_id: mine })
  const seen = await call(me, 'preview_networking_matches', { p_attendee_id: mine, p_event_id: event, p_limit: 50 })
  assert.ok(!seen.some((row) => row.other_attendee_id === his))
  await call(him, 'unblock_person', { p_attendee_id: his, p_other_attendee_id: mine })
  assert.ok(await call(him, 'report_person', { p_attendee_id: his, p_other_attendee_id: mine, p_reason: 'spam' }))
})

test('what organizers ask of the whole event', async () => {
  assert.ok(await call(organizer, 'generate_event_matches', { p_event_id: event, p_per_attendee: 2 }))
  assert.ok(await call(organizer, 'networking_quality', { p_event_id: event }))
  assert.ok(Array.isArray(await call(organizer, 'find_connectors', { p_event_id: event })))
  for (const name of ['generate_event_matches', 'networking_quality', 'find_connectors']) {
    assert.equal((await me.rpc(name, { p_event_id: event })).status, 403, name)
  }
})

test('a schedule for the whole event is looked at, published, or put away', async () => {
  const asked = { p_event_id: event, p_tables: 4, p_from: at(60), p_to: at(180), p_room: 'Foyer' }
  assert.equal((await me.rpc('schedule_event_meetings', asked)).status, 403)
  const first = await call(organizer, 'schedule_event_meetings', asked)
  assert.deepEqual([first.pairs, first.meetings, first.gap], [1, 1, 0])
  const draft = { p_draft_id: first.draft_id }
  const { data: rows } = await organizer.from('meeting_schedule_drafts').select('meetings').eq('id', first.draft_id)
  assert.deepEqual(rows[0].meetings.map((meeting) => [meeting.room, meeting.table]), [['Foyer', '1']])
  assert.deepEqual((await me.from('meeting_schedule_drafts').select('id')).data, [])
  assert.equal((await me.rpc('publish_meeting_schedule', draft)).status, 403)
  assert.equal((await me.rpc('discard_meeting_schedule', draft)).status, 403)
  assert.equal((await call(organizer, 'publish_meeting_schedule', draft)).meetings, 1)
  const coming = await call(her, 'get_meetings', { p_attendee_id: hers, p_event_id: event, p_from: at(0) })
  assert.deepEqual(coming.filter((row) => row.status === 'scheduled').map((row) => row.other_attendee_id), [mine])
  const second = await call(organizer, 'schedule_event_meetings', asked)
  assert.equal((await call(organizer, 'discard_meeting_schedule', { p_draft_id: second.draft_id })).status, 'discarded')
})
