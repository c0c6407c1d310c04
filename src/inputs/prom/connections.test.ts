import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeClock, createFakeHost, type FakeClock, type FakeHost } from '../../../test/fixtures/fake-host.ts';
import { foreignCert, testTls } from '../../../test/fixtures/kubernetes/tls.ts';
import { promInputConfig } from './config.ts';
import { type Connections, connectionRules, createConnections } from './connections.ts';
import { get } from './http-get.ts';
import { describeRequestError } from './request-error.ts';

let host: FakeHost<FakeClock>;
let connections: Connections;
let origin = '';
let clientNames: (string | undefined)[];
const server = createServer({ ...testTls, requestCert: true, rejectUnauthorized: false }, (request, response) => {
  const socket = request.socket as TLSSocket;
  const subject = socket.getPeerCertificate().subject;
  clientNames.push(subject?.CN === undefined ? undefined : String(subject.CN));
  response.end('a 1\n');
});

beforeEach(async () => {
  clientNames = [];
  host = createFakeHost({ clock: createFakeClock() });
  connections = createConnections();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await connections.close();
  host.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** What a scrape with these keys comes to: the status, or why there is none. */
async function ask(config: Record<string, unknown>): Promise<number | string> {
  const rules = connectionRules(promInputConfig.parse({ urls: [origin], timeout: '5s', ...config }));
  try {
    const connector = await connections.open(rules);
    const url = new URL(origin);
    const options = { url, headers: {}, connector, wantsBody: () => true, take: () => undefined };
    return (await get(options, AbortSignal.timeout(5000))).status;
  } catch (cause) {
    return describeRequestError(cause, new URL(origin).host).message;
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('connections to targets', () => {
  it('trust the authorities that files or base64 name, and no other', async () => {
    const caFile = join(host.dataDirectory, 'ca.pem');
    writeFileSync(caFile, testTls.cert);
    expect(await ask({ ca_certs: [caFile] })).toBe(200);
    expect(await ask({ tls_ca: caFile })).toBe(200);
    expect(await ask({ ca_certs_base64: [base64(testTls.cert)] })).toBe(200);
    expect(await ask({ insecure_skip_verify: true })).toBe(200);
    expect(await ask({})).toContain('is not trusted');
    expect(await ask({ ca_certs_base64: [base64(foreignCert)] })).toContain('is not trusted');
    expect(await ask({ ca_certs: [caFile], server_name: 'other.test' })).toContain('server_name');
    expect(await ask({ ca_certs: [caFile], server_name: 'kubernetes.test' })).toBe(200);
  });

  it('take up an authority that is replaced in place', async () => {
    const caFile = join(host.dataDirectory, 'ca.pem');
    writeFileSync(caFile, foreignCert);
    expect(await ask({ ca_certs: [caFile] })).toContain('is not trusted');
    writeFileSync(caFile, testTls.cert);
    expect(await ask({ ca_certs: [caFile] })).toBe(200);
  });

  it('show our own certificate, from files or base64', async () => {
    const [certFile, keyFile] = ['cert.pem', 'key.pem'].map((name) => join(host.dataDirectory, name));
    writeFileSync(certFile ?? '', testTls.cert);
    writeFileSync(keyFile ?? '', testTls.key);
    const shared = { insecure_skip_verify: true };
    expect(await ask({ ...shared, cert: certFile, cert_key: keyFile })).toBe(200);
    expect(await ask({ ...shared, tls_cert: certFile, tls_key: keyFile })).toBe(200);
    expect(await ask({ ...shared, cert_base64: base64(testTls.cert), cert_key_base64: base64(testTls.key) })).toBe(200);
    expect(await ask(shared)).toBe(200);
    expect(clientNames).toEqual(['kubernetes.test', 'kubernetes.test', 'kubernetes.test', undefined]);
  });

  it('name a file that cannot be read, and text that is no certificate', async () => {
    expect(await ask({ ca_certs: ['/no/such/ca.pem'] })).toContain('ca_certs "/no/such/ca.pem"');
    const parsed = promInputConfig.safeParse({ urls: [origin], ca_certs_base64: ['bm90aGluZw=='] });
    expect(parsed.success ? '' : parsed.error.issues[0]?.message).toContain('must be PEM text');
  });
});
