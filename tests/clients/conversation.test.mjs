// Introductions and answers by supabase-js.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const { event, people } = world.alpha
const organizer = client('alphaOrganizer')
const me = client('alpha0')

test('an introduction, and two answers', async () => {
  const contractors = []
  for (const [number, person] of people.slice(0, 2).entries()) {
    const signedIn = client(`alpha${number}`)
    const made = await signedIn.from('contractors').insert({ profile_id: person.sub, first_name: `C${number}`, phone: `+1555010${number}000` }).select('id').single()
    assert.equal(made.error, null)
    const attends = await organizer.from('event_attendees').insert({ event_id: event, contractor_id: made.data.id })
    assert.equal(attends.error, null)
    const agrees = await signedIn.from('event_attendees').update({ peer_matching_opt_in: true }).eq('contractor_id', made.data.id)
    assert.equal(agrees.error, null)
    contractors.push(made.data.id)
  }
  const match = await organizer.rpc('create_peer_match', { p_event_id: event, p_contractor_id: contractors[0], p_peer_id: contractors[1] })
  assert.equal(match.error, null)
  const sent = await organizer.rpc('send_peer_introduction', { p_match_id: match.data.id })
  assert.equal(sent.error, null)
  assert.equal(sent.data.introductions.length, 2)
  const forged = await organizer.rpc('record_peer_response', { p_match_id: match.data.id, p_contractor_id: contractors[0], p_response: true })
  assert.deepEqual([forged.status, forged.error.code], [403, '42501'])
  const answers = []
  for (const number of [0, 1]) {
    const answer = await client(`alpha${number}`).rpc('record_peer_response', { p_match_id: match.data.id, p_contractor_id: contractors[number], p_response: true })
    assert.equal(answer.error, null)
    answers.push(answer.data.contacts_exchanged)
  }
  assert.deepEqual(answers, [false, true])
  const late = await me.rpc('record_peer_response', { p_match_id: match.data.id, p_contractor_id: contractors[0], p_response: false })
  assert.deepEqual([late.status, late.error.code], [409, 'PT409'])
  const mine = await me.from('peer_messages').select('kind')
  assert.ok(mine.data.some((message) => message.kind === 'contact_exchange'))
})

test('the prompts of an event are for its organizers', async () => {
  for (const name of ['suggested_prompt_times', 'dispatch_due_prompts']) {
    assert.equal((await organizer.rpc(name, { p_event_id: event })).error, null)
    assert.equal((await me.rpc(name, { p_event_id: event })).status, 403)
  }
  assert.equal((await organizer.rpc('claim_outbox', { p_topic: 'sms' })).status, 403)
})
