// Every function that anybody but the service may call is called by supabase-js in one of these files.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import test from 'node:test'
import { client } from './setup.mjs'

test('no function that a person may call is forgotten', async () => {
  const { data } = await client('alpha0').rpc('surface')
  const open = data.filter((row) => row.audience !== 'service' && row.audience !== 'owner').map((row) => row.signature.split('(')[0])
  const files = readdirSync('.').filter((name) => name.endsWith('.test.mjs')).map((name) => readFileSync(name, 'utf8')).join('\n')
  assert.ok(open.length > 20)
  // Named in a call, or as a key of a table of calls.
  assert.deepEqual(open.filter((name) => !new RegExp(`'${name}'|^  ${name}: `, 'm').test(files)), [])
})
