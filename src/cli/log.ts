/** The agent's own log: JSON lines for machines, text for whoever sits at the terminal. */
import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import { plain } from './plain-text.ts';

export interface LogOptions {
  readonly level: string;
  readonly format: 'auto' | 'json' | 'text';
  readonly isTerminal: boolean;
  write(line: string): void;
}

const levelNames: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** Fields that the line itself says, or that tell a person nothing. */
const hiddenFields: ReadonlySet<string> = new Set([
  'level',
  'time',
  'pid',
  'hostname',
  'name',
  'msg',
  'component',
  'err',
]);

const valueText = (value: unknown): string => plain(typeof value === 'string' ? value : JSON.stringify(value));

/** A JSON line of pino's as text: `11:32:05 WARN  inputs.prom: The target does not answer. url=…`. */
export function textLine(json: string): string {
  const entry: Record<string, unknown> = JSON.parse(json);
  const time = new Date(Number(entry['time'])).toISOString().slice(11, 19);
  const level = (levelNames[Number(entry['level'])] ?? String(entry['level'])).padEnd(5);
  const component = typeof entry['component'] === 'string' ? `${entry['component']}: ` : '';
  const fields = Object.entries(entry).filter(([key]) => !hiddenFields.has(key));
  const error = entry['err'];
  const reason =
    typeof error === 'object' && error !== null && 'message' in error ? ` (${valueText(error.message)})` : '';
  const rest = fields.map(([key, value]) => ` ${key}=${valueText(value)}`).join('');
  return `${time} ${level} ${component}${plain(String(entry['msg'] ?? ''))}${reason}${rest}`;
}

/** Makes the log. It is written at once, so that a crash keeps its last line. */
export function createLog({ level, format, isTerminal, write }: LogOptions): Logger {
  if (format === 'json' || (format === 'auto' && !isTerminal)) {
    return pino({ name: 'trawl', level }, pino.destination({ fd: 2, sync: true }));
  }
  const lines = new Writable({
    write(chunk, _encoding, done) {
      write(textLine(String(chunk)));
      done();
    },
  });
  return pino({ name: 'trawl', level }, lines);
}
