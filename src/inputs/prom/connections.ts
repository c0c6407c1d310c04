/** How targets are connected to: one way for each combination of TLS settings and socket, shared by all targets that have it. */
import { readFile } from 'node:fs/promises';
import { buildConnector } from 'undici';
import type { PromInputConfig } from './config.ts';

/** How a target is connected to. Files are read for every scrape. */
export interface ConnectionRules {
  readonly caFiles: readonly string[];
  /** PEM texts beside them. */
  readonly caTexts: readonly string[];
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM texts in their place; '' for none. */
  readonly certText: string;
  readonly keyText: string;
  /** '' for the host of the URL. */
  readonly serverName: string;
  readonly checksCertificate: boolean;
  /** A unix socket in place of the URL's host, '' for none. */
  readonly socketPath: string;
  readonly timeoutMs: number;
}

/** Makes a connection to the host that it is given. */
export type Connector = buildConnector.connector;

export interface Connections {
  /** The way for these rules, anew where their files have changed; throws in plain words where a file that they name cannot be read. */
  open(rules: ConnectionRules): Promise<Connector>;
  /** Forgets them all, with what they have read. */
  close(): Promise<void>;
}

const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** The connection rules of a block. */
export function connectionRules(config: PromInputConfig): ConnectionRules {
  return {
    caFiles: config.tls_ca === '' ? config.ca_certs : [...config.ca_certs, config.tls_ca],
    caTexts: config.ca_certs_base64.map(fromBase64),
    certFile: config.cert === '' ? config.tls_cert : config.cert,
    keyFile: config.cert_key === '' ? config.tls_key : config.cert_key,
    certText: fromBase64(config.cert_base64),
    keyText: fromBase64(config.cert_key_base64.reveal()),
    serverName: config.server_name,
    checksCertificate: !config.insecure_skip_verify,
    socketPath: config.uds_path,
    timeoutMs: Math.min(config.timeout, config.interval),
  };
}

/** PEM texts read from the files that rules name, with the text of each rule that names none. */
interface Pems {
  readonly ca: readonly string[];
  readonly cert: string;
  readonly key: string;
}

async function readPem(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new Error(`cannot read ${key} "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

async function readPems(rules: ConnectionRules): Promise<Pems> {
  const caFiles = await Promise.all(rules.caFiles.map((path) => readPem(path, 'ca_certs')));
  return {
    ca: [...caFiles, ...rules.caTexts],
    cert: rules.certText !== '' || rules.certFile === '' ? rules.certText : await readPem(rules.certFile, 'cert'),
    key: rules.keyText !== '' || rules.keyFile === '' ? rules.keyText : await readPem(rules.keyFile, 'cert_key'),
  };
}

function createConnector(rules: ConnectionRules, { ca, cert, key }: Pems): Connector {
  return buildConnector({
    timeout: rules.timeoutMs,
    rejectUnauthorized: rules.checksCertificate,
    ...(ca.length > 0 ? { ca: [...ca] } : {}),
    ...(cert === '' ? {} : { cert }),
    ...(key === '' ? {} : { key }),
    ...(rules.serverName === '' ? {} : { servername: rules.serverName }),
    ...(rules.socketPath === '' ? {} : { socketPath: rules.socketPath }),
  });
}

/** Pods come and go, each maybe with a name of its own for its certificate. */
const maxOpened = 100;

interface Opened {
  readonly connector: Connector;
  readonly pems: string;
}

/** Makes an empty set; nothing is read or connected before `open`. */
export function createConnections(): Connections {
  const opened = new Map<string, Opened>();
  return {
    async open(rules) {
      const key = JSON.stringify(rules);
      const before = opened.get(key);
      const hasFiles = rules.caFiles.length > 0 || rules.certFile !== '' || rules.keyFile !== '';
      // Read for every scrape, so that certificates that are renewed in place are taken up.
      const pems = before === undefined || hasFiles ? await readPems(rules) : undefined;
      const text = JSON.stringify(pems);
      const current =
        before !== undefined && (pems === undefined || before.pems === text)
          ? before
          : { connector: createConnector(rules, pems ?? (await readPems(rules))), pems: text };
      // The one used last goes to the end, so that those used longest ago are let go of first.
      opened.delete(key);
      opened.set(key, current);
      for (const oldest of opened.keys()) {
        if (opened.size <= maxOpened) break;
        opened.delete(oldest);
      }
      return current.connector;
    },
    async close() {
      opened.clear();
    },
  };
}
