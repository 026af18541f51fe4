// Leads by supabase-js: an organizer with a sponsor, the sponsor's person, and attendees who consented or did not.
import assert from 'node:assert/strict'
import test from 'node:test'
import { call, client, world } from './setup.mjs'

const { event, people } = world.alpha
const organizer = client('alphaOrganizer')
const service = client('service')
// The last attendee signs in for the sponsor; alpha0 consents to leads, alpha1 does not.
const [willing, unwilling, seller] = people
const sponsorsPerson = client('alpha2')
const stranger = client('betaOrganizer')

async function sponsor() {
  const made = await call(organizer, 'add_sponsor', { p_event_id: event, p_company_name: 'Rowstore', p_sponsorship_tier: 'gold',
    p_contract_value: 1000, p_primary_contact_name: 'Sal', p_primary_contact_email: 'sal@rowstore.example' })
  const id = made.sponsor_id ?? made.id
  assert.equal((await service.from('sponsors').update({ profile_id: seller.sub, status: 'active' }).eq('id', id)).error, null)
  return id
}

test('from a visit at the booth to a lead, a list and a forecast', async () => {
  const id = await sponsor()
  const listed = await call(organizer, 'list_sponsors', { p_event_id: event })
  assert.deepEqual(listed.map((row) => row.sponsor_id), [id])
  assert.equal((await client('alpha0').from('attendees').update({ sponsor_consent: true }).eq('id', willing.id)).error, null)
  for (const person of [willing, unwilling]) {
    await call(service, 'record_lead_interaction', { p_sponsor_id: id, p_attendee_id: person.id, p_kind: 'booth_visit', p_external_id: `visit-${person.id}` })
  }
  // Nobody makes leads for a sponsor without the attendee's badge.
  const forged = await sponsorsPerson.rpc('record_lead_interaction', { p_sponsor_id: id, p_attendee_id: unwilling.id, p_kind: 'booth_visit' })
  assert.deepEqual([forged.status, forged.error.code], [403, '42501'])
  await call(organizer, 'score_event_leads', { p_event_id: event })
  await call(organizer, 'score_sponsor_leads', { p_sponsor_id: id })
  const leads = await call(sponsorsPerson, 'get_sponsor_leads', { p_sponsor_id: id, p_min_score: 0 })
  assert.equal(leads.length, 1)
  assert.equal(leads[0].attendee.name, willing.name)
  // One visit: engagement 10, fit 30 (nothing described), intent 3.
  assert.equal(leads[0].lead_score, 43)
  assert.equal(await call(organizer, 'calculate_lead_score', { p_lead_id: leads[0].lead_id }), 43)
  await call(sponsorsPerson, 'sponsor_attendee_match', { p_sponsor_id: id })
  assert.ok(await call(sponsorsPerson, 'sponsor_analytics', { p_sponsor_id: id }))
  // 0.3 x 0 / 100 (nothing measured yet) + 0.4 x 5 / 10 (not asked: 5) + 0.3 x 0.
  assert.equal(await call(organizer, 'predict_sponsor_renewal', { p_sponsor_id: id }), 0.2)
  assert.equal((await call(organizer, 'renewal_predictions', { p_event_id: event }))[0].sponsor_id, id)
  assert.ok(await call(organizer, 'start_renewal_sequence', { p_sponsor_id: id }))
  assert.ok(await call(organizer, 'queue_crm_sync', { p_sponsor_id: id, p_crm_type: 'salesforce', p_min_lead_score: 40 }))
  for (const name of ['get_sponsor_leads', 'sponsor_analytics', 'score_sponsor_leads', 'predict_sponsor_renewal', 'start_renewal_sequence']) {
    const refused = await stranger.rpc(name, { p_sponsor_id: id })
    assert.deepEqual([refused.status, refused.error.code], [403, '42501'], name)
  }
})

test('the formulas are values for everybody', async () => {
  const visits = { p_booth_visits: 3, p_content_downloads: 2, p_session_attendance: 0, p_messages_exchanged: 0, p_meeting_requested: true }
  assert.equal(await call(sponsorsPerson, 'lead_engagement_score', visits), 40)
  assert.equal(await call(sponsorsPerson, 'lead_intent_score', { p_interaction_count: 4 }), 12)
  assert.equal(await call(sponsorsPerson, 'lead_score', { ...visits, p_interaction_count: 4, p_fit_score: 20 }), 72)
})
