// The way existing clients go, with their public libraries: a template becomes a document, the signing service signs it, the
// gateway takes it, the device's answer comes to an endpoint. Once with an ordinary read, once with a critical command.
// usage: node duis.mjs SIGNING_URL GATEWAY_URL ENDPOINT_PORT USER_EUI METER_EUI WATTSEAL DS_KEY DS_CERTIFICATE
import assert from 'node:assert'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import parser from '@smartdcc/duis-parser'
import templates from '@smartdcc/duis-templates'
const { constructDuis, parseDuis, isSimplifiedDuisOutputResponse, isSimplifiedDuisResponseBody_ResponseMessage_X } = parser

const [signing, gateway, port, originatorId, targetId, wattseal, key, certificate] = process.argv.slice(2)

const post = (url, type, body) => fetch(url, { method: 'POST', headers: { 'Content-Type': type }, body })
async function atSigningService(path, xml, more = {}) {
  const response = await post(signing + path, 'application/json', JSON.stringify({ message: Buffer.from(xml).toString('base64'), ...more }))
  const answer = await response.json()
  assert.strictEqual(response.status, 200, answer.error)
  return Buffer.from(answer.message, 'base64').toString()
}
// Verified by the signing service, then read by the public parser.
async function read(xml) {
  const duis = parseDuis('simplified', await atSigningService('/verify', xml))
  assert.ok(isSimplifiedDuisOutputResponse(duis), 'a service response')
  return duis
}
async function send(service, signed) {
  const response = await post(`${gateway}/api/v1/${service}`, 'application/xml', signed)
  return read(await response.text())
}

const arrived = []
let wake = () => {}
const endpoint = createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    arrived.push(Buffer.concat(parts).toString())
    response.writeHead(200).end()
    wake()
  })
})
// The asynchronous response to a request: others may come before it.
async function answerTo(requestId) {
  for (;;) {
    while (arrived.length > 0) {
      const duis = await read(arrived.shift())
      if (duis.header.requestId && duis.header.requestId.counter === requestId.counter) return duis
    }
    await new Promise((resolve, reject) => {
      wake = resolve
      setTimeout(() => reject(new Error('no response came')), 15000).unref()
    })
  }
}

async function fromTemplate(name) {
  const { simplified } = (await templates.loadTemplates({}))[name]
  simplified.header.requestId = { originatorId, targetId, counter: 0 }
  return simplified
}

async function readMeter() {
  const signed = await atSigningService('/sign', constructDuis('simplified', await fromTemplate('ECS17b_4.1.1_SINGLE')))
  const { requestId } = parseDuis('simplified', signed).header
  assert.ok(requestId.counter > 1600000000000n, 'the signing service sets the counter')
  const acknowledged = await send('serviceS', signed)
  assert.strictEqual(acknowledged.header.responseCode, 'I99')
  const answer = await answerTo(requestId)
  assert.strictEqual(answer.header.responseCode, 'I0')
  assert.ok(isSimplifiedDuisResponseBody_ResponseMessage_X('GBCSPayload', answer.body), 'the meter\'s message')
}

async function setCreditMode() {
  const request = await fromTemplate('ECS02_1.6_IMMEDIATE_SINGLE')
  const signed = await atSigningService('/sign', constructDuis('simplified', request))
  const { requestId } = parseDuis('simplified', signed).header
  const transformed = await send('serviceT', signed)
  assert.ok(isSimplifiedDuisResponseBody_ResponseMessage_X('PreCommand', transformed.body), 'a pre-command')
  const preCommand = transformed.body.ResponseMessage.PreCommand.GBCSPayload
  const GBCSPayload = execFileSync(wattseal, ['gbcs', 'sign', '-', '--key', key, '--certificate', certificate, '--format', 'base64'],
    { input: preCommand }).toString().trim()
  const document = constructDuis('simplified', {
    header: { ...request.header, requestId, commandVariant: 5 },
    body: { SignedPreCommand: { GBCSPayload } }
  })
  const acknowledged = await send('serviceS', await atSigningService('/sign', document, { preserveCounter: true }))
  assert.strictEqual(acknowledged.header.responseCode, 'I99')
  const answer = await answerTo(requestId)
  assert.strictEqual(answer.header.responseCode, 'I0')
}

await new Promise((resolve) => endpoint.listen(Number(port), '127.0.0.1', resolve))
try {
  await readMeter()
  await setCreditMode()
  console.log('the public libraries went the whole way')
} finally {
  endpoint.close()
  endpoint.closeAllConnections()
}
