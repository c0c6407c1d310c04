/** Where a query's text is: in the argument itself, in a file, or on standard input. */
import { createReadStream } from 'node:fs';
import { errorCode } from '../pipeline/file-system.ts';
import { harmless } from './cells.ts';
import { type Terminal, UsageError } from './command.ts';

/** An agent takes no longer one. */
const mostBytes = 10 * 1024 * 1024;
const byteOrderMark = /^\ufeff/;

/** The query that an argument stands for: `-` is standard input, and `@FILE` a file, since no query begins so. Throws a UsageError. */
export async function readQueryText(argument: string, terminal: Terminal): Promise<string> {
  const text = argument === '-' || argument.startsWith('@') ? await readFrom(argument, terminal) : argument;
  if (text.trim() === '') throw new UsageError(`${emptyWords(argument)}; write one such as 'up'`);
  return text;
}

function emptyWords(argument: string): string {
  if (argument === '-') return 'no query came from standard input';
  return argument.startsWith('@') ? `there is no query in ${harmless(argument.slice(1))}` : 'the query is empty';
}

async function readFrom(argument: string, terminal: Terminal): Promise<string> {
  const name = argument === '-' ? undefined : argument.slice(1);
  if (name === '') throw new UsageError('a file is named behind @, as in @errors.promql');
  try {
    const bytes = await readAll(name === undefined ? (terminal.input?.() ?? []) : createReadStream(name));
    return bytes.toString('utf8').replace(byteOrderMark, '').replaceAll('\r\n', '\n').trimEnd();
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a directory',
      EACCES: 'it may not be read by this user',
    };
    const reason = reasons[errorCode(cause)] ?? String(cause);
    throw new UsageError(`no query can be read from ${harmless(name ?? 'standard input')}: ${reason}`, { cause });
  }
}

async function readAll(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer> {
  const read: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > mostBytes) throw new UsageError('the query is longer than 10 MiB');
    read.push(chunk);
  }
  return Buffer.concat(read);
}
