// Who gets in, and how a refusal looks to supabase-js.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const { event, people, sessions } = world.alpha
const mine = { p_attendee_id: people[0].id, p_event_id: event }

test('an attendee is recommended sessions of their event, in order of rank', async () => {
  const { data, error } = await client('alpha0').rpc('get_session_recommendations', { ...mine, p_limit: 5 })
  assert.equal(error, null)
  assert.equal(data.length, 5)
  for (const row of data) {
    assert.ok(sessions.includes(row.session_id))
    assert.ok(row.similarity_score >= 0 && row.similarity_score <= 1)
    assert.ok(row.recommendation_reason.length > 0)
  }
})

test('another attendee of the same event is refused, and so is one of another event', async () => {
  for (const stranger of ['alpha1', 'beta0']) {
    const { data, error, status } = await client(stranger).rpc('get_session_recommendations', mine)
    assert.deepEqual([status, error?.code, data], [403, '42501', null])
  }
})

test('an unknown attendee is refused in the same words', async () => {
  const unknown = { ...mine, p_attendee_id: '00000000-0000-4000-8000-000000000000' }
  const [one, other] = await Promise.all([
    client('alpha1').rpc('get_session_recommendations', mine),
    client('alpha1').rpc('get_session_recommendations', unknown),
  ])
  assert.deepEqual(one.error, other.error)
})

test('without signing in there is the programme, and nothing about a person', async () => {
  const programme = await client('anon').from('sessions').select('id').eq('event_id', event)
  assert.equal(programme.data.length, sessions.length)
  const refused = await client('anon').rpc('get_session_recommendations', mine)
  assert.deepEqual([refused.status, refused.error.code], [401, '42501'])
})

test('an attendee reads their own rows only', async () => {
  const { data } = await client('alpha0').from('session_interactions').select('attendee_id')
  assert.ok(data.length > 0)
  assert.ok(data.every((row) => row.attendee_id === people[0].id))
})

test('a bookmark leaves the recommendations and enters the agenda', async () => {
  const me = client('alpha0')
  const before = await me.rpc('get_session_recommendations', { ...mine, p_limit: 1 })
  const picked = before.data[0].session_id
  const saved = await me.rpc('record_session_interaction', {
    p_attendee_id: mine.p_attendee_id, p_session_id: picked, p_kind: 'bookmarked',
  })
  assert.equal(saved.error, null)
  const after = await me.rpc('get_session_recommendations', { ...mine, p_limit: 50 })
  assert.ok(after.data.every((row) => row.session_id !== picked))
  const agenda = await me.rpc('get_personal_agenda', mine)
  assert.ok(agenda.data.some((row) => row.session_id === picked && row.agenda_status === 'bookmarked'))
})

test('what was served takes feedback, from the person who saw it alone', async () => {
  const served = await client('alpha0').rpc('serve_session_recommendations', { ...mine, p_limit: 1 })
  assert.equal(served.error, null)
  const feedback = { p_recommendation_id: served.data[0].recommendation_id, p_action: 'clicked' }
  assert.equal((await client('alpha1').rpc('submit_recommendation_feedback', feedback)).status, 403)
  assert.equal((await client('alpha0').rpc('submit_recommendation_feedback', feedback)).error, null)
})

test('the organizer refreshes the event, an attendee and another organizer do not', async () => {
  const refresh = (who) => client(who).rpc('refresh_event_recommendations', { p_event_id: event })
  assert.equal((await refresh('alphaOrganizer')).error, null)
  assert.equal((await refresh('alpha0')).status, 403)
  assert.equal((await refresh('betaOrganizer')).status, 403)
})

test('the service acts for anybody, and hears what is not there', async () => {
  const service = client('service')
  assert.equal((await service.rpc('get_session_recommendations', mine)).error, null)
  const unknown = await service.rpc('find_similar_sessions', { p_session_id: '00000000-0000-4000-8000-000000000000' })
  assert.equal(unknown.status, 404)
})

test('a wrong argument is a bad request that names it', async () => {
  const { status, error } = await client('alpha0').rpc('get_session_recommendations', { ...mine, p_limit: 0 })
  assert.deepEqual([status, error.code], [400, '22023'])
  assert.match(error.message, /p_limit/)
})
