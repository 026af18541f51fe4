// The tables by supabase-js: filters on the programme, upsert of one's own rows, both faces of a signal.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const { event, people, sessions, topics } = world.alpha
const person = people[1]
const me = client('alpha1')
const other = client('alpha2')

async function rows(query) {
  const { data, error } = await query
  assert.equal(error, null, JSON.stringify(error))
  return data
}

test('the programme is filtered, ordered and paged', async () => {
  const wanted = topics[0][0]
  const found = await rows(me.from('sessions').select('id, title, topics, start_time').eq('event_id', event)
    .contains('topics', [wanted]).order('start_time').order('id'))
  assert.equal(found.length, topics.filter((names) => names.includes(wanted)).length)
  assert.ok(found.every((row) => row.topics.includes(wanted)))
  const page = await rows(me.from('sessions').select('id').eq('event_id', event).order('id').range(4, 7))
  assert.deepEqual(page.map((row) => row.id), [...sessions].sort().slice(4, 8))
  const either = await rows(me.from('sessions').select('id').eq('event_id', event).overlaps('topics', ['ai', 'music']))
  assert.equal(either.length, topics.filter((names) => names.includes('ai') || names.includes('music')).length)
})

test('an event comes with its sessions and venue in one request', async () => {
  const found = await rows(client('anon').from('events').select('title, venues(name), sessions(id)').eq('id', event).single())
  assert.equal(found.sessions.length, sessions.length)
  assert.equal(found.venues.name, 'Venue alpha')
})

test('preferences are upserted, and their arrays are signals', async () => {
  const wish = (fields) => rows(me.from('attendee_preferences')
    .upsert({ attendee_id: person.id, event_id: event, ...fields }, { onConflict: 'attendee_id,event_id' }).select().single())
  const first = await wish({ preferred_topics: ['databases'], bookmarked_sessions: [sessions[10], sessions[11]] })
  assert.deepEqual(first.preferred_topics, ['databases'])
  const second = await wish({ skill_level: 'beginner', bookmarked_sessions: [sessions[11]] })
  assert.deepEqual([second.preferred_topics, second.skill_level, second.id], [['databases'], 'beginner', first.id])
  assert.ok(second.rev > first.rev)
  const signals = await rows(me.from('session_interactions').select('session_id').eq('attendee_id', person.id).eq('kind', 'bookmarked'))
  assert.deepEqual(signals.map((row) => row.session_id), [sessions[11]])
})

test('signals are inserted and deleted, and the arrays follow', async () => {
  const signal = { attendee_id: person.id, event_id: event, session_id: sessions[15], kind: 'attended' }
  await rows(me.from('session_interactions').upsert(signal, { onConflict: 'attendee_id,session_id,kind' }))
  const attended = () => rows(me.from('attendee_preferences').select('attended_sessions').eq('attendee_id', person.id).single())
  assert.ok((await attended()).attended_sessions.includes(sessions[15]))
  await rows(me.from('session_interactions').delete().match(signal))
  assert.ok(!(await attended()).attended_sessions.includes(sessions[15]))
})

test("others' rows are not there, and not to be written", async () => {
  for (const table of ['attendee_preferences', 'session_interactions', 'recommendation_history']) {
    assert.deepEqual(await rows(other.from(table).select('attendee_id').eq('attendee_id', person.id)), [])
  }
  const tried = [
    other.from('attendee_preferences').insert({ attendee_id: person.id, event_id: event }),
    other.from('attendee_preferences').upsert({ attendee_id: person.id, event_id: event, preferred_topics: ['x'] }, { onConflict: 'attendee_id,event_id' }),
    other.from('session_interactions').insert({ attendee_id: person.id, event_id: event, session_id: sessions[0], kind: 'attended' }),
    me.from('recommendation_history').insert({
      attendee_id: person.id, event_id: event, recommended_item_type: 'session', recommended_item_id: sessions[0], recommendation_algorithm: 'hybrid' }),
    me.from('recommendation_cache').select(),
    me.from('settings').select().eq('key', 'home').single(),
    me.from('sessions').insert({ event_id: event, title: 'Mine', start_time: '2030-01-01', end_time: '2030-01-02' }),
  ]
  for (const attempt of tried) {
    const { status, error, data } = await attempt
    assert.deepEqual([status, error.code, data], [403, '42501', null])
  }
  const untouched = await other.from('attendee_preferences').update({ preferred_topics: ['x'] }).eq('attendee_id', person.id).select()
  assert.deepEqual(untouched.data, [])
})

test('an organizer edits the programme, and that reaches the recommendations', async () => {
  const organizer = client('alphaOrganizer')
  const pair = { p_attendee_id: person.id, p_event_id: event, p_limit: 100 }
  const before = await rows(me.rpc('get_session_recommendations', pair))
  const target = before[0].session_id
  const changed = await rows(organizer.from('sessions').update({ status: 'cancelled' }).eq('id', target).select('status').single())
  assert.equal(changed.status, 'cancelled')
  const after = await rows(me.rpc('get_session_recommendations', pair))
  assert.ok(!after.some((row) => row.session_id === target))
  await rows(organizer.from('sessions').update({ status: 'scheduled' }).eq('id', target))
  assert.deepEqual((await rows(me.rpc('get_session_recommendations', pair))).map((row) => row.session_id), before.map((row) => row.session_id))
  const { data } = await client('betaOrganizer').from('sessions').update({ title: 'Taken' }).eq('id', target).select()
  assert.deepEqual(data, [])
})

test('without signing in the programme can be read, and no person', async () => {
  const anon = client('anon')
  assert.equal((await rows(anon.from('sessions').select('id').eq('event_id', event))).length, sessions.length)
  for (const table of ['attendees', 'attendee_preferences', 'session_interactions', 'recommendation_history', 'profiles', 'organizations']) {
    const { status, error } = await anon.from(table).select()
    assert.deepEqual([status, error.code], [401, '42501'], table)
  }
})
