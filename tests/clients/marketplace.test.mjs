// The marketplace by supabase-js: the documents' examples as they stand, for an organizer and for a sponsor's person.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const eventId = world.alpha.event
const organizer = client('alphaOrganizer')
const service = client('service')
// The last attendee signs in for the sponsor.
const sponsorsPerson = client('alpha2')
const stranger = client('betaOrganizer')
let sponsorId, other, packageId

async function done(asked) {
  const { data, error } = await asked
  assert.equal(error, null, JSON.stringify(error))
  return data
}

async function prepare() {
  if (sponsorId) return
  const { dimensions } = await done(service.from('embedding_models').select('dimensions').eq('model', 'text-embedding-ada-002').single())
  const vector = (first) => JSON.stringify(Array.from({ length: dimensions }, (_, at) => (at === 0 ? first : 1)))
  const made = await done(service.from('sponsors').insert([
    { company_name: 'Rowstore', profile_id: world.alpha.people[2].sub, primary_contact_email: 'sal@rowstore.example' },
    { company_name: 'Colstore', primary_contact_email: 'cal@colstore.example' },
  ]).select())
  ;[sponsorId, other] = made.map((row) => row.id)
  await done(service.from('sponsor_profiles').insert(made.map((row, at) => (
    { sponsor_id: row.id, annual_budget_cents: 600000, industry: 'software', objectives_embedding: vector(at), embedding_model: 'text-embedding-ada-002' }))))
  const [pack] = await done(organizer.from('sponsorship_packages').insert(
    { event_id: eventId, package_name: 'Gold', tier: 'gold', price_cents: 500000, total_available: 2 }).select())
  packageId = pack.id
  await done(organizer.from('event_embeddings').insert({ event_id: eventId, embedding: vector(1), source_text: 'x', embedding_model: 'text-embedding-ada-002' }))
  await done(organizer.from('events').update({ description: 'D', country: 'BE', categories: ['music'], capacity: 100, website: 'https://e.example' }).eq('id', eventId))
  await done(service.from('event_audience_insights').insert({ event_id: eventId, engagement_score: 1, ticket_conversion_rate: 0.45, social_mentions: 900, sentiment_score: 1 }))
  await done(service.from('sponsorship_matches').insert([
    { event_id: eventId, sponsor_id: sponsorId, score: 0.8, overlap_metrics: { budget_fit: 0.5 } }, { event_id: eventId, sponsor_id: other, score: 0.55, overlap_metrics: {} }]))
  const parts = await done(service.rpc('refresh_marketplace'))
  assert.deepEqual(parts.filter((part) => part.status !== 'done'), [])
}

test('sponsor recommendations for an event', async () => {
  await prepare()
  const { data } = await organizer
    .from('v_sponsor_recommendations')
    .select('*')
    .eq('event_id', eventId)
    .gte('score', 0.6)
    .order('score', { ascending: false })
    .limit(10)
  assert.deepEqual(data.map((row) => [row.sponsor_id, row.company_name, row.industry, row.score]), [[sponsorId, 'Rowstore', 'software', 0.8]])
  assert.deepEqual(data[0].overlap_metrics, { budget_fit: 0.5 })
  assert.deepEqual(Object.keys(data[0]).filter((key) => /email|phone|budget/.test(key)), [])
  assert.deepEqual(await done(stranger.from('v_sponsor_recommendations').select('*').eq('event_id', eventId)), [])
})

test('event recommendations for a sponsor', async () => {
  await prepare()
  const { data } = await sponsorsPerson
    .from('v_event_recommendations')
    .select('*')
    .eq('sponsor_id', sponsorId)
    .gte('score', 0.5)
    .gt('available_packages', 0)
    .order('score', { ascending: false })
    .limit(20)
  assert.deepEqual(data.map((row) => [row.event_id, row.score, row.available_packages, row.affordable_packages]), [[eventId, 0.8, 1, 1]])
  assert.deepEqual(await done(sponsorsPerson.from('v_event_recommendations').select('*').eq('sponsor_id', other)), [])
})

test('package cards', async () => {
  await prepare()
  const { data } = await sponsorsPerson
    .from('v_sponsorship_package_cards')
    .select('*')
    .eq('is_active', true)
    .gte('available_inventory', 1)
    .gte('quality_score', 70)
    .order('quality_score', { ascending: false })
    .range(0, 19)
  // Described whole, engagement 1, conversion .45 / .5 = .9, mentions .9 and mood 1: .95, no history:
  // 100 (.25 + .25 + .2 x .9 + .15 x .95 + .15 x .5) = 89.75.
  assert.deepEqual(data.map((row) => [row.package_id, row.available_inventory, row.quality_score, row.quality_tier]), [[packageId, 2, 89.75, 'premium']])
})

test('the other views, with filters, an order and a range', async () => {
  await prepare()
  const page = (who, view, order) => done(who.from(view).select('*').order(order, { ascending: false }).range(0, 19))
  assert.deepEqual((await page(organizer, 'v_sponsor_marketplace', 'reputation_score')).map((row) => row.company_name).sort(), ['Colstore', 'Rowstore'])
  assert.deepEqual((await page(sponsorsPerson, 'v_sponsor_marketplace', 'reputation_score')).map((row) => row.company_name), ['Rowstore'])
  const events = await done(sponsorsPerson.from('v_event_marketplace').select('*').contains('categories', ['music']).eq('quality_tier', 'premium')
    .gte('quality_score', 80).order('quality_score', { ascending: false }).range(0, 19))
  assert.deepEqual(events.map((row) => [row.event_id, row.available_inventory, row.min_price_cents]), [[eventId, 2, 500000]])
  assert.deepEqual((await page(organizer, 'v_semantic_sponsor_recommendations', 'semantic_similarity')).map((row) => row.company_name), ['Colstore', 'Rowstore'])
  assert.deepEqual((await page(sponsorsPerson, 'v_semantic_event_recommendations', 'semantic_similarity')).map((row) => row.event_id), [eventId])
  assert.equal((await page(organizer, 'v_event_performance_summary', 'engagement_score')).find((row) => row.event_id === eventId).places_left, 2)
  assert.equal((await page(organizer, 'v_marketplace_analytics', 'day'))[0].matches, 2)
  const refused = await client('anon').from('v_event_marketplace').select('*')
  assert.deepEqual([refused.status, refused.error.code], [401, '42501'])
})

test('the functions', async () => {
  await prepare()
  const call = (who, name, args) => done(who.rpc(name, args))
  assert.deepEqual((await call(organizer, 'get_sponsor_recommendations', { p_event_id: eventId, p_limit: 5, p_min_score: 0.5 })).map((row) => row.company_name), ['Rowstore', 'Colstore'])
  assert.deepEqual((await call(sponsorsPerson, 'get_event_recommendations', { p_sponsor_id: sponsorId })).map((row) => [row.event_id, row.affordable_packages]), [[eventId, 1]])
  assert.deepEqual((await call(organizer, 'semantic_sponsor_event_match', { p_event_id: eventId })).map((row) => [row.company_name, row.match_score]), [['Colstore', 0.55], ['Rowstore', 0.8]])
  const embedding = Array(1536).fill(1)
  assert.deepEqual((await call(organizer, 'find_similar_sponsors', { p_embedding: embedding, p_limit: 10, p_threshold: 0.7 })).map((row) => row.company_name), ['Colstore', 'Rowstore'])
  assert.deepEqual((await call(client('anon'), 'find_similar_events', { p_embedding: embedding })).map((row) => row.event_id), [eventId])
  const refused = await stranger.rpc('get_sponsor_recommendations', { p_event_id: eventId })
  assert.deepEqual([refused.status, refused.error.code], [403, '42501'])
  const wrong = await organizer.rpc('find_similar_sponsors', { p_embedding: [0.1, 0.2, 0.3], p_limit: 10, p_threshold: 0.7 })
  assert.deepEqual([wrong.status, wrong.error.code, wrong.error.message], [400, '22023', 'p_embedding has 3 dimensions, model "text-embedding-ada-002" has 1536'])
  const service_only = await organizer.rpc('refresh_marketplace')
  assert.deepEqual([service_only.status, service_only.error.code], [403, '42501'])
})

test('a sponsor updates its profile', async () => {
  await prepare()
  // Update profile
  await done(sponsorsPerson
    .from('sponsor_profiles')
    .update({
      preferred_categories: ['music', 'food', 'art'],
      regions: ['US', 'CA', 'MX'],
      annual_budget_cents: 5000000
    })
    .eq('sponsor_id', sponsorId))
  const [card] = await done(organizer.from('v_sponsor_marketplace').select('*').eq('sponsor_id', sponsorId))
  assert.deepEqual([card.preferred_categories, card.regions], [['music', 'food', 'art'], ['US', 'CA', 'MX']])
})

test('money is not written by clients', async () => {
  await prepare()
  const { error, status } = await sponsorsPerson.from('sponsorship_orders').insert({ package_id: packageId, sponsor_id: sponsorId, event_id: eventId, amount_cents: 500000, status: 'pending' })
  assert.deepEqual([status, error.code], [403, '42501'])
})
