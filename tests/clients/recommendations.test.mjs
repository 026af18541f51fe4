// Recommendations and who is calling, by supabase-js, with a user's token.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const { event, people, sessions } = world.alpha
const person = people[0]
const pair = { p_attendee_id: person.id, p_event_id: event }
const me = client('alpha0')
const organizer = client('alphaOrganizer')

/** The answer's rows or value; fails on an error. */
async function call(who, name, args = {}) {
  const { data, error, status } = await who.rpc(name, args)
  assert.equal(error, null, `${name}: ${JSON.stringify(error)}`)
  assert.equal(status, 200)
  return data
}

// Function: who calls it, with what, and what must come.
const calls = {
  surface: [me, {}, (rows) => assert.ok(rows.length > 20 && rows.every((row) => row.signature && row.audience && row.comment))],
  library_version: [me, {}, (version) => assert.match(version, /^\d+\.\d+\.\d+/)],
  uid: [me, {}, (id) => assert.equal(id, person.sub)],
  email: [me, {}, (email) => assert.equal(email, null)],
  claim: [me, { p_name: 'role' }, (role) => assert.equal(role, 'authenticated')],
  embed_text: [me, { p_text: 'Scaling Postgres' }, (vector) => {
    assert.equal(vector.length, 256)
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-4)
  }],
  get_session_recommendations: [me, { ...pair, p_limit: 5, p_algorithm: 'hybrid' }, (rows) => {
    assert.equal(rows.length, 5)
    for (const row of rows) {
      assert.deepEqual(Object.keys(row), ['session_id', 'session_title', 'similarity_score', 'recommendation_reason',
        'recommendation_algorithm', 'start_time', 'end_time', 'score_parts'])
      const sum = Object.values(row.score_parts).reduce((total, part) => total + part.weight * part.score, 0)
      assert.ok(sessions.includes(row.session_id) && Math.abs(sum - row.similarity_score) < 5e-4)
      assert.ok(Date.parse(row.start_time) < Date.parse(row.end_time))
    }
  }],
  serve_session_recommendations: [me, { ...pair, p_limit: 3 }, (rows) => assert.equal(new Set(rows.map((row) => row.recommendation_id)).size, 3)],
  find_similar_sessions: [me, { p_session_id: sessions[0], p_limit: 4 }, (rows) => {
    assert.ok(rows.length > 0 && rows.length <= 4 && !rows.some((row) => row.session_id === sessions[0]))
    assert.ok(rows.every((row) => row.recommendation_reason === 'Similar to "Session 1 of alpha"'))
  }],
  get_personal_agenda: [me, pair, (rows) => {
    for (let at = 1; at < rows.length; at++) assert.ok(Date.parse(rows[at - 1].end_time) <= Date.parse(rows[at].start_time))
  }],
  get_exhibitor_recommendations: [me, pair, (rows) => assert.ok(Array.isArray(rows))],
  get_content_recommendations: [me, pair, (rows) => assert.ok(Array.isArray(rows))],
  record_session_interaction: [me, { p_attendee_id: person.id, p_session_id: sessions[5], p_kind: 'rated', p_value: 4.5 },
    (told) => assert.deepEqual([told.kind, told.value, told.changed], ['rated', 4.5, true])],
  update_attendee_preferences: [me, { ...pair, p_preferences: { preferred_topics: ['AI'], skill_level: 'expert' } },
    (told) => assert.deepEqual([told.preferred_topics, told.skill_level, told.attendee_id], [['AI'], 'expert', person.id])],
  refresh_event_recommendations: [organizer, { p_event_id: event }, (told) => assert.equal(told.kept, people.length)],
  recommendation_metrics: [organizer, { p_event_id: event }, (rows) => assert.ok(rows.every((row) => row.shown >= row.clicked))],
  evaluate_recommender: [organizer, { p_event_id: event, p_k: 5 }, (rows) => assert.equal(rows.at(-1).recommendation_algorithm, 'hybrid')],
  learn_recommendation_weights: [organizer, { p_event_id: event }, (told) => assert.equal(told.applied, false)],
}

for (const [name, [who, args, check]] of Object.entries(calls)) {
  test(`${name} by rpc`, async () => check(await call(who, name, args)))
}

test('submit_recommendation_feedback by rpc, and what it leads to', async () => {
  const [row] = await call(me, 'serve_session_recommendations', { ...pair, p_limit: 1 })
  const told = await call(me, 'submit_recommendation_feedback', { p_recommendation_id: row.recommendation_id, p_action: 'bookmarked' })
  assert.deepEqual([told.bookmarked, told.clicked, told.rating], [true, false, null])
  const mine = await me.from('session_interactions').select('kind').eq('session_id', row.session_id).eq('attendee_id', person.id)
  assert.ok(mine.data.some((entry) => entry.kind === 'bookmarked'))
  const after = await call(me, 'get_session_recommendations', { ...pair, p_limit: 100 })
  assert.ok(!after.some((other) => other.session_id === row.session_id))
})

test('what anonymous callers may call, they may, and nothing else', async () => {
  const anon = client('anon')
  const surface = await call(anon, 'surface')
  assert.equal(await call(anon, 'uid'), null)
  assert.ok((await call(anon, 'find_similar_sessions', { p_session_id: sessions[0] })).length > 0)
  for (const { signature, audience } of surface) {
    const name = signature.split('(')[0]
    if (audience === 'public' || audience === 'anon' || !(name in calls)) continue
    const { status, error, data } = await anon.rpc(name, calls[name][1])
    assert.deepEqual([status, error.code, data], [401, '42501', null], name)
  }
})

test('reading functions answer to GET, filters and pages as well', async () => {
  const { data, error } = await me.rpc('get_session_recommendations', { ...pair, p_limit: 20 }, { get: true })
    .select('session_id, similarity_score').gte('similarity_score', 0).order('session_id').range(0, 3)
  assert.equal(error, null)
  assert.deepEqual(data.map((row) => row.session_id), data.map((row) => row.session_id).sort())
  assert.equal(data.length, 4)
  assert.deepEqual(Object.keys(data[0]), ['session_id', 'similarity_score'])
})

test('an organizer may ask for an attendee of the event, and not of another', async () => {
  assert.ok((await call(organizer, 'get_session_recommendations', pair)).length > 0)
  const { status } = await organizer.rpc('get_session_recommendations',
    { p_attendee_id: world.beta.people[0].id, p_event_id: world.beta.event })
  assert.equal(status, 403)
})
