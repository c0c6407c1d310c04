/** The connections that targets are scraped through: one set for each combination of TLS settings and socket, shared by all targets that have it. */
import { readFile } from 'node:fs/promises';
import { Agent, type Dispatcher } from 'undici';
import type { PromInputConfig } from './config.ts';

/** How a target is connected to. Files are read when the first connection is made. */
export interface ConnectionRules {
  readonly caFiles: readonly string[];
  readonly certFile: string;
  readonly keyFile: string;
  /** '' for the host of the URL. */
  readonly serverName: string;
  readonly checksCertificate: boolean;
  /** A unix socket in place of the URL's host, '' for none. */
  readonly socketPath: string;
  readonly timeoutMs: number;
}

export interface Connections {
  /** The dispatcher for these rules; throws in plain words where a file that they name cannot be read. */
  open(rules: ConnectionRules): Promise<Dispatcher>;
  /** Cuts them all. */
  close(): Promise<void>;
}

/** The connection rules of a block. */
export function connectionRules(config: PromInputConfig): ConnectionRules {
  return {
    caFiles: config.ca_certs,
    certFile: config.cert,
    keyFile: config.cert_key,
    serverName: config.server_name,
    checksCertificate: !config.insecure_skip_verify,
    socketPath: config.uds_path,
    timeoutMs: Math.min(config.timeout, config.interval),
  };
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

async function createDispatcher(rules: ConnectionRules): Promise<Dispatcher> {
  const ca = await Promise.all(rules.caFiles.map((path) => readPem(path, 'ca_certs')));
  const cert = rules.certFile === '' ? undefined : await readPem(rules.certFile, 'cert');
  const key = rules.keyFile === '' ? undefined : await readPem(rules.keyFile, 'cert_key');
  return new Agent({
    // No connection outlives its scrape: one that the target closes meanwhile would cost the next scrape.
    pipelining: 0,
    // The deadline of the whole scrape goes before these.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: rules.timeoutMs,
      rejectUnauthorized: rules.checksCertificate,
      ...(ca.length > 0 ? { ca } : {}),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(rules.serverName === '' ? {} : { servername: rules.serverName }),
      ...(rules.socketPath === '' ? {} : { socketPath: rules.socketPath }),
    },
  });
}

/** Makes an empty set; nothing is read or connected before `open`. */
export function createConnections(): Connections {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  return {
    open(rules) {
      const key = JSON.stringify(rules);
      let dispatcher = dispatchers.get(key);
      if (dispatcher === undefined) {
        dispatcher = createDispatcher(rules);
        dispatchers.set(key, dispatcher);
        // A file that is not there yet may be there for the next scrape.
        dispatcher.catch(() => dispatchers.delete(key));
      }
      return dispatcher;
    },
    async close() {
      const opened = await Promise.allSettled(dispatchers.values());
      dispatchers.clear();
      await Promise.all(opened.map((one) => (one.status === 'fulfilled' ? one.value.destroy() : undefined)));
    },
  };
}
