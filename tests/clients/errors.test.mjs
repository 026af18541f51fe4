// Errors as supabase-js sees them: the HTTP status, the code, and texts that name the value.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const { event, people, sessions } = world.alpha
const pair = { p_attendee_id: people[0].id, p_event_id: event }
const nobody = '00000000-0000-4000-8000-000000000bad'
const me = client('alpha0')
const service = client('service')

const refusals = [
  ['an invalid value', 400, '22023', /between 1 and 500, not 0/, () => me.rpc('get_session_recommendations', { ...pair, p_limit: 0 })],
  ['a null', 400, '22004', /p_algorithm must not be null/, () => me.rpc('get_session_recommendations', { ...pair, p_algorithm: null })],
  ['a text that is no id', 400, '22P02', /"me"/, () => me.rpc('get_session_recommendations', { ...pair, p_attendee_id: 'me' })],
  ['an event of somebody else', 400, '22023', /does not attend/, () => me.rpc('get_session_recommendations', { ...pair, p_event_id: world.beta.event })],
  ['a stranger', 403, '42501', /you may not use this attendee, or it does not exist/, () => client('beta0').rpc('get_session_recommendations', pair)],
  ['the service asking for nobody', 404, 'PT404', new RegExp(`attendee ${nobody} does not exist`), () => service.rpc('get_session_recommendations', { ...pair, p_attendee_id: nobody })],
  ['an unknown key', 400, '22023', /"prefered_topics"/, () => me.rpc('update_attendee_preferences', { ...pair, p_preferences: { prefered_topics: ['ai'] } })],
  ['too many entries', 413, 'PT413', /preferred_topics has 201 entries/, () => me.rpc('update_attendee_preferences', {
    ...pair, p_preferences: { preferred_topics: Array.from({ length: 201 }, (_, n) => `t${n}`) } })],
  ['a session of another event', 403, '42501', /session/, () => me.rpc('record_session_interaction', { p_attendee_id: people[0].id, p_session_id: world.beta.sessions[0], p_kind: 'browsed' })],
  ['a rating out of range', 400, '22023', /from 1 to 5, not 9/, () => me.rpc('record_session_interaction', { p_attendee_id: people[0].id, p_session_id: sessions[0], p_kind: 'rated', p_value: 9 })],
  ['a function for the service', 403, '42501', /permission denied/, () => me.rpc('embed_pending')],
  ['a function that is not there', 404, 'PGRST202', /get_recommendations/, () => me.rpc('get_recommendations', pair)],
  ['a foreign session in an array', 400, '22023', /is not a session of event/, () => me.from('attendee_preferences')
    .upsert({ attendee_id: people[0].id, event_id: event, bookmarked_sessions: [world.beta.sessions[0]] }, { onConflict: 'attendee_id,event_id' })],
  ['a vector of a wrong dimension', 400, '22023', /16 dimensions, not 3/, () => client('alphaOrganizer').from('session_embeddings')
    .update({ embedding: '[1,2,3]' }).eq('session_id', sessions[0])],
]

for (const [what, status, code, message, attempt] of refusals) {
  test(`${what}: ${status}`, async () => {
    const answer = await attempt()
    assert.deepEqual([answer.status, answer.error?.code, answer.data], [status, code, null], JSON.stringify(answer))
    assert.match(answer.error.message, message)
    if (code.startsWith('PT')) assert.match(answer.error.details, /^SQLSTATE [0-9A-Z]{5}/)
  })
}

test('a job that somebody else holds: 409', async () => {
  await client('alphaOrganizer').from('sessions').update({ description: 'new' }).eq('id', sessions[3])
  const adopted = await service.rpc('adopt_copy')
  assert.equal(adopted.error, null)
  const { data } = await service.rpc('claim_embedding_jobs', { p_limit: 1 })
  const { status, error } = await service.rpc('fail_embedding_job', { p_job_id: data[0].job_id, p_error: 'x', p_lease_token: nobody })
  assert.deepEqual([status, error.code], [409, 'PT409'])
  assert.match(error.details, /^SQLSTATE 55000/)
})

test('a worker outside embeds a session from end to end', async () => {
  const { data } = await service.rpc('claim_embedding_jobs', { p_limit: 1, p_lease: '1 minute' })
  const job = data[0]
  const { data: vector } = await service.rpc('embed_text', { p_text: job.source_text })
  const done = await service.rpc('complete_embedding_job', {
    p_job_id: job.job_id, p_embedding: vector, p_model: 'convene-hash-v1', p_lease_token: job.lease_token })
  assert.deepEqual([done.error, done.data.status, done.data.session_id], [null, 'done', job.session_id])
})
