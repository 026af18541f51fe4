// What the client tests share: supabase-js clients for each person of the world that test_clients.py made.
import assert from 'node:assert/strict'
import { createClient } from '@supabase/supabase-js'

/** { url, tokens: { anon, alpha0.., alphaOrganizer, beta0.., betaOrganizer, service }, alpha: {...}, beta: {...} } */
export const world = JSON.parse(process.env.CONVENE_WORLD)

/** A client that signs in as `who`, a name in world.tokens. */
export function client(who) {
  const token = world.tokens[who]
  if (!token) throw new Error(`nobody is called ${who}: ${Object.keys(world.tokens)}`)
  return createClient('http://localhost', token, {
    db: { schema: 'convene' },
    auth: { persistSession: false, autoRefreshToken: false },
    global: {
      headers: { Authorization: `Bearer ${token}` },
      // A hosted project has a gateway in front that knows PostgREST as /rest/v1; here it stands alone.
      fetch: (address, options) => fetch(String(address).replace('http://localhost/rest/v1', world.url), options),
    },
  })
}

/** What a function answers to `who`, which must not be an error. */
export async function call(who, name, args) {
  const { data, error } = await who.rpc(name, args)
  assert.equal(error, null, `${name}: ${JSON.stringify(error)}`)
  return data
}
