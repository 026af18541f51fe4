// A person and what is known of them, by supabase-js.
import assert from 'node:assert/strict'
import test from 'node:test'
import { client, world } from './setup.mjs'

const [person, other] = world.alpha.people
const me = client('alpha0')

test('export_person gives me everything about me and nobody else', async () => {
  const { data, error } = await me.rpc('export_person', { p_profile_id: person.sub })
  assert.equal(error, null)
  assert.ok(JSON.stringify(data).includes(person.id) && !JSON.stringify(data).includes(other.name))
  const refused = await me.rpc('export_person', { p_profile_id: other.sub })
  assert.deepEqual([refused.status, refused.error.code], [403, '42501'])
})

test('has_permission answers yes to an organizer and no to an attendee', async () => {
  const asked = { p_area: 'contacts', p_action: 'read' }
  assert.equal((await client('alphaOrganizer').rpc('has_permission', asked)).data, true)
  assert.equal((await me.rpc('has_permission', asked)).data, false)
})

test('erase_person is for oneself, and once is enough', async () => {
  const refused = await me.rpc('erase_person', { p_profile_id: other.sub })
  assert.deepEqual([refused.status, refused.error.code], [403, '42501'])
  const { error } = await me.rpc('erase_person', { p_profile_id: person.sub })
  assert.equal(error, null)
  const rows = await me.from('attendees').select('id')
  assert.deepEqual(rows.data, [])
})
