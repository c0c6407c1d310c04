/**
 * Blocks of ClickHouse's Native format, column by column
 * (https://clickhouse.com/docs/en/interfaces/formats/Native). Blocks stand one after another in a file without anything between them.
 */
import { ByteWriter } from './byte-writer.ts';

/** LowCardinality's serialization: a dictionary of its own in each block, and what its index is made of. */
const sharedDictionariesVersion = 1;
const hasAdditionalKeys = 1 << 9;
const needsUpdate = 1 << 10;

/** Rows with more entries than this are looked up in full. */
const maxPlaces = 64;

/** A column's name and ClickHouse type. */
export type Column = readonly [name: string, type: string];

/** `a UInt8, b String`: the structure of a table function. */
export const structureOf = (columns: readonly Column[]): string =>
  columns.map(([name, type]) => `${name} ${type}`).join(', ');

/** How wide the indexes of a dictionary are: 0 for a byte, 1 for two, 2 for four. */
const widthOf = (keys: number): 0 | 1 | 2 => (keys <= 0x100 ? 0 : keys <= 0x1_0000 ? 1 : 2);

/** Numbers strings in order of appearance. */
class Dictionary {
  readonly keys: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** What stood last at each place of a row: the next row mostly has the same there, and comparing is cheaper than looking up. */
  readonly #lastKeys: string[] = [''];
  readonly #lastNumbers: number[] = [0];

  constructor() {
    // Number 0 is the type's default, as ClickHouse itself writes it.
    this.keys.push('');
    this.#numbers.set('', 0);
  }

  number(key: string, place: number): number {
    if (key === this.#lastKeys[place]) return this.#lastNumbers[place] ?? 0;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.keys.length;
      this.keys.push(key);
      this.#numbers.set(key, number);
    }
    if (place < maxPlaces) {
      this.#lastKeys[place] = key;
      this.#lastNumbers[place] = number;
    }
    return number;
  }
}

/** Writes the blocks of one table. Its memory is reused from block to block. */
export class NativeBlock {
  readonly out = new ByteWriter(256 * 1024);
  #rows = 0;
  /** Scratch for indexes and map values, kept between blocks. */
  readonly #indexes: number[] = [];
  readonly #values: string[] = [];

  begin(columns: number, rows: number): void {
    this.out.clear();
    this.out.varUint(columns);
    this.out.varUint(rows);
    this.#rows = rows;
  }

  /**
   * The finished block, in memory that the next block is written to. What comes 25 times a second from fresh memory outside V8's heap has
   * V8 collect the whole heap several times a second, which took a fifth of the agent's CPU (`bench/spans.ts`).
   */
  end(): Buffer {
    this.#values.length = 0;
    return this.out.view();
  }

  /** Begins a column; its values follow through `out`. */
  column([name, type]: Column): ByteWriter {
    this.out.string(name);
    this.out.string(type);
    return this.out;
  }

  strings<Row>(column: Column, rows: readonly Row[], value: (row: Row) => string): void {
    const out = this.column(column);
    for (const row of rows) out.string(value(row));
  }

  lowCardinality<Row>(column: Column, rows: readonly Row[], value: (row: Row) => string): void {
    this.column(column);
    this.#indexes.length = 0;
    const dictionary = new Dictionary();
    for (const row of rows) this.#indexes.push(dictionary.number(value(row), 0));
    this.out.i64(sharedDictionariesVersion);
    this.#dictionaryAndIndexes(dictionary, this.#rows);
  }

  /** The same where many rows share a few values: `distinct` in order of appearance, and for each row which of them it has. */
  lowCardinalityOf<Shared>(
    column: Column,
    { distinct, places }: { readonly distinct: readonly Shared[]; readonly places: readonly number[] },
    value: (shared: Shared) => string,
  ): void {
    this.column(column);
    const dictionary = new Dictionary();
    const numbers = distinct.map((shared) => dictionary.number(value(shared), 0));
    this.#indexes.length = 0;
    for (const place of places) this.#indexes.push(numbers[place] ?? 0);
    this.out.i64(sharedDictionariesVersion);
    this.#dictionaryAndIndexes(dictionary, this.#rows);
  }

  /** The same where the caller has numbered the values itself: `numbers[row]` is the place in `keys`, of which the first is ''. */
  lowCardinalityNumbers(column: Column, keys: readonly string[], numbers: Uint32Array): void {
    const out = this.column(column);
    out.i64(sharedDictionariesVersion);
    this.#keys(keys, this.#rows);
    out.integers(numbers, this.#rows, widthOf(keys.length));
  }

  /** Map(LowCardinality(String), String), its entries in the order in which they are put. */
  map<Row>(
    column: Column,
    rows: readonly Row[],
    entries: (row: Row, put: (key: string, value: string) => void) => void,
  ): void {
    this.column(column);
    this.#indexes.length = 0;
    this.#values.length = 0;
    const indexes = this.#indexes;
    const values = this.#values;
    const dictionary = new Dictionary();
    let place = 0;
    const put = (key: string, value: string) => {
      indexes.push(dictionary.number(key, place++));
      values.push(value);
    };
    // The dictionary's version stands before the offsets: prefixes of nested types come first.
    this.out.i64(sharedDictionariesVersion);
    for (const row of rows) {
      place = 0;
      entries(row, put);
      this.out.i64(values.length);
    }
    if (values.length > 0) this.#dictionaryAndIndexes(dictionary, values.length);
    for (const value of values) this.out.string(value);
  }

  /** Offsets of an Array column; its items follow. */
  offsets<Row>(column: Column, rows: readonly Row[], size: (row: Row) => number): void {
    const out = this.column(column);
    let end = 0;
    for (const row of rows) {
      end += size(row);
      out.i64(end);
    }
  }

  #dictionaryAndIndexes(dictionary: Dictionary, count: number): void {
    const out = this.out;
    const width = widthOf(dictionary.keys.length);
    this.#keys(dictionary.keys, count);
    if (width === 0) for (let i = 0; i < count; i++) out.u8(this.#indexes[i] ?? 0);
    else if (width === 1) for (let i = 0; i < count; i++) out.u16(this.#indexes[i] ?? 0);
    else for (let i = 0; i < count; i++) out.u32(this.#indexes[i] ?? 0);
  }

  /** A dictionary, up to where its indexes begin. */
  #keys(keys: readonly string[], count: number): void {
    const out = this.out;
    out.i64(widthOf(keys.length) | hasAdditionalKeys | needsUpdate);
    out.i64(keys.length);
    for (const key of keys) out.string(key);
    out.i64(count);
  }
}
