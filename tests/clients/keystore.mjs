// The public keystore client against a running repository: finds a device's certificates by EUI-64 and by serial number.
// usage: node keystore.mjs HOST:PORT EUI SERIAL_OF_DS_HEX
import assert from 'node:assert'
import keystore from '@smartdcc/dccboxed-keystore'
const { BoxedKeyStore, KeyUsage } = keystore

const [address, eui, serial] = process.argv.slice(2)
const store = await BoxedKeyStore.new(address)
try {
  for (const usage of [KeyUsage.digitalSignature, KeyUsage.keyAgreement]) {
    const found = await store.query({ eui, keyUsage: usage, lookup: 'certificate' })
    assert.ok(found && found.length === 1, `one certificate of usage ${usage}, not ${found?.length}`)
    assert.strictEqual(found[0].eui.toString(), eui.toLowerCase())
    assert.deepStrictEqual(found[0].keyUsage, [usage])
    assert.ok(found[0].certificate.publicKey)
  }
  const one = await store.query({ serial: BigInt('0x' + serial), lookup: 'certificate' })
  assert.strictEqual(BigInt('0x' + one.certificate.serialNumber), BigInt('0x' + serial))
  const nothing = await store.query({ eui: '00575300000fffff', keyUsage: KeyUsage.digitalSignature, lookup: 'certificate' })
  assert.ok(nothing === null || nothing.length === 0, 'an unknown device has no certificates')
  console.log('the public client finds what it must')
} finally {
  await store.cleanup()
}
