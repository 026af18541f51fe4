// Insights by supabase-js: the service sends signals, the organizer has them counted and reads what is known.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const { event } = world.alpha
const organizer = client('alphaOrganizer')
const service = client('service')
const stranger = client('betaOrganizer')

test('signals are counted for the organizer', async () => {
  const sent = await service.from('event_impressions').insert([
    { event_id: event, impressions: 3, country: 'Canada', dwell_time_ms: 90000 }, { event_id: event, impressions: 1, country: 'CA' }])
  assert.equal(sent.error, null, JSON.stringify(sent.error))
  const { data: told, error } = await organizer.rpc('refresh_event_insights', { p_event_id: event })
  assert.equal(error, null, JSON.stringify(error))
  assert.deepEqual([told.events, told.rebuilt], [1, false])
  const { data } = await organizer.from('event_audience_insights').select('geo_distribution, avg_dwell_time_ms').eq('event_id', event).single()
  assert.deepEqual(data, { geo_distribution: { CA: 4 }, avg_dwell_time_ms: 30000 })
})

test('all events are for the service, and another one is nobody else\'s', async () => {
  const all = await organizer.rpc('refresh_event_insights')
  assert.deepEqual([all.status, all.error.code], [403, '42501'])
  const foreign = await stranger.rpc('refresh_event_insights', { p_event_id: event })
  assert.deepEqual([foreign.status, foreign.error.code], [403, '42501'])
  const rebuilt = await service.rpc('rebuild_event_insights', { p_event_id: event })
  assert.deepEqual([rebuilt.error, rebuilt.data.rebuilt], [null, true])
  const since = await service.rpc('refresh_event_insights', { p_since: '2100-01-01T00:00:00Z' })
  assert.deepEqual(since.data, { events: 0, deltas: 0, rebuilt: false })
  const { data: dropped } = await service.rpc('drop_old_partitions', { p_keep: '24 months' })
  assert.deepEqual(dropped, { dropped: [] })
})

test('the sound of words is for everybody', async () => {
  const { data } = await stranger.rpc('score_sentiment', { p_text: 'good' })
  assert.equal(Math.round(data * 1e6), 458831)
})
