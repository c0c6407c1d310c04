/**
 * The generator of `bench/formats.ts`: a process that lives for the whole run, posts bodies of the format and to the place that each message
 * of its parent names, one request at a time on each connection, and answers what came of it. All targets get the same bodies from it.
 */
import { once } from 'node:events';
import { connect as connectH2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { bodySpans } from './envoy-spans.ts';
import { createFormatBody, type FormatBody, type TraceFormat } from './format-bodies.ts';

export interface LoadOrder {
  readonly format: TraceFormat;
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** Stops after so many bodies. */
  readonly maxBodies: number;
}

export interface LoadOutcome {
  readonly seconds: number;
  readonly spansSent: number;
  readonly spansAcknowledged: number;
  /** HTTP's, or `grpc N`. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly ackMs: readonly number[];
  readonly generatorCpuUs: number;
  /** What the first answer that was no success said. */
  readonly refusal: string | undefined;
}

interface Answer {
  readonly status: string;
  readonly isAcknowledged: boolean;
  readonly text: string;
}

interface Connection {
  post(body: Buffer): Promise<Answer>;
  close(): void;
}

const contentTypes: Readonly<Record<TraceFormat, string>> = {
  'zipkin-v1-json': 'application/json',
  'zipkin-thrift': 'application/x-thrift',
  'zipkin-v2-json': 'application/json',
  'zipkin-proto3': 'application/x-protobuf',
  'otlp-protobuf': 'application/x-protobuf',
  'otlp-json': 'application/json',
  'otlp-grpc': 'application/grpc',
};

const answerTimeoutMs = 30_000;

/** How far an answer of HTTP/1.1 goes, once it is all there. */
function answerEnd(text: string): number | undefined {
  const bodyAt = text.indexOf('\r\n\r\n') + 4;
  if (bodyAt < 4) return undefined;
  const head = text.slice(0, bodyAt).toLowerCase();
  if (head.includes('transfer-encoding: chunked')) return text.endsWith('0\r\n\r\n') ? text.length : undefined;
  const end = bodyAt + Number(/content-length: *(\d+)/.exec(head)?.[1] ?? 0);
  return text.length >= end ? end : undefined;
}

/** A success that says it left spans out is none. */
function hasRejected(format: TraceFormat, text: string): boolean {
  return format === 'otlp-json' && /"rejectedSpans":"?[1-9]/.test(text);
}

async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  return socket;
}

/** All of one answer; a connection that ends before it is an error. */
function readAnswer(socket: Socket): Promise<string> {
  return new Promise((settle, fail) => {
    let text = '';
    const onData = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (answerEnd(text) !== undefined) finish(() => settle(text));
    };
    const onClose = () => finish(() => fail(new Error('the connection was closed before the answer')));
    const onError = (error: Error) => finish(() => fail(error));
    const timer = setTimeout(() => onError(new Error('no answer in time')), answerTimeoutMs);
    const finish = (tell: () => void) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose).off('error', onError);
      tell();
    };
    socket.on('data', onData).on('close', onClose).on('error', onError);
  });
}

async function openHttp({ port, path, format }: LoadOrder): Promise<Connection> {
  let socket = await openSocket(port);
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: ${contentTypes[format]}\r\ncontent-length: `;
  return {
    async post(body) {
      socket.cork();
      socket.write(`${head}${body.length}\r\n\r\n`);
      socket.write(body);
      socket.uncork();
      const text = await readAnswer(socket);
      // Go's server closes after an answer to a body that it has not read to its very end.
      if (/\r\nconnection: close\r\n/i.test(text)) {
        socket.destroy();
        socket = await openSocket(port);
      }
      const status = text.slice(9, 12);
      return { status, isAcknowledged: status.startsWith('2') && !hasRejected(format, text), text };
    },
    close: () => void socket.destroy(),
  };
}

/** The prefix of a message and, as some servers write it, a `partial_success` in which nothing is said. */
const fullSuccessBytes = 7;

async function openGrpc({ port }: LoadOrder): Promise<Connection> {
  const session = connectH2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1 << 20 } });
  // What a request of it says is enough: a server that speaks no HTTP/2 ends them.
  session.on('error', () => undefined);
  await once(session, 'connect');
  const headers = {
    ':method': 'POST',
    ':path': '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    'content-type': contentTypes['otlp-grpc'],
    te: 'trailers',
  };
  return {
    async post(body) {
      const stream = session.request(headers);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(body.length, 1);
      stream.write(prefix);
      stream.end(body);
      let grpc: { code: string; message: string } = { code: '', message: '' };
      let size = 0;
      const take = (fields: Readonly<Record<string, string | string[] | number | undefined>>) => {
        const code = fields['grpc-status'];
        if (code !== undefined) grpc = { code: String(code), message: String(fields['grpc-message'] ?? '') };
      };
      stream.on('error', (error) => {
        grpc = { code: 'lost', message: String(error) };
      });
      stream.on('response', take);
      stream.on('trailers', take);
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
      });
      await once(stream, 'close', { signal: AbortSignal.timeout(answerTimeoutMs) });
      return {
        status: `grpc ${grpc.code}`,
        isAcknowledged: grpc.code === '0' && size <= fullSuccessBytes,
        text: grpc.message,
      };
    },
    close: () => session.destroy(),
  };
}

const lost = { status: 'connection lost', isAcknowledged: false };

const distinctBodies = 8;
const bodies = new Map<string, readonly FormatBody[]>();
/** Ids of two runs of this program must differ: a store keeps a span once. */
let idSeed = Math.floor(Math.random() * 2 ** 31);

function bodiesOf(format: TraceFormat, connection: number): readonly FormatBody[] {
  const key = `${format} ${connection}`;
  const made =
    bodies.get(key) ??
    Array.from({ length: distinctBodies }, (_, i) => createFormatBody(format, connection * 100 + i, idSeed++));
  bodies.set(key, made);
  return made;
}

async function carryOut(order: LoadOrder): Promise<LoadOutcome> {
  const { format, connections, seconds, maxBodies } = order;
  const own = Array.from({ length: connections }, (_, i) => bodiesOf(format, i + 1));
  const open = format === 'otlp-grpc' ? openGrpc : openHttp;
  const lines = await Promise.all(own.map(() => open(order)));
  const statuses: Record<string, number> = {};
  const ackMs: number[] = [];
  let sent = 0;
  let acknowledged = 0;
  let refusal: string | undefined;
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  const drive = async (line: Connection, bodiesHere: readonly FormatBody[]) => {
    for (let i = 0; performance.now() < endAt && sent < maxBodies; i++) {
      const body = bodiesHere[i % bodiesHere.length];
      if (body === undefined) return;
      body.refresh(Date.now() * 1000);
      sent++;
      const postedAt = performance.now();
      const answer = await line.post(body.bytes).catch((error: unknown) => ({ ...lost, text: String(error) }));
      const { status, isAcknowledged, text } = answer;
      ackMs.push(performance.now() - postedAt);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (isAcknowledged) acknowledged++;
      else refusal ??= text.slice(0, 500);
      // Its connection is no longer there: the others go on.
      if (status === lost.status) return;
    }
  };
  await Promise.all(lines.map((line, i) => drive(line, own[i] ?? [])));
  const tookSeconds = (performance.now() - startedAt) / 1000;
  const used = process.cpuUsage(before);
  for (const line of lines) line.close();
  return {
    seconds: tookSeconds,
    spansSent: sent * bodySpans,
    spansAcknowledged: acknowledged * bodySpans,
    statuses,
    ackMs,
    generatorCpuUs: used.user + used.system,
    refusal,
  };
}

process.on('message', (order: LoadOrder) => {
  carryOut(order).then(
    (outcome) => process.send?.({ outcome }),
    (error) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
