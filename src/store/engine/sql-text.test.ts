import { describe, expect, it } from 'vitest';
import { blankLiterals, parseRowsInsert, placeholdersOf, quoteSql, refusalOf, withLiterals } from './sql-text.ts';

const refusal = (sql: string) => refusalOf(blankLiterals(sql));

describe('what the store process reads in a statement', () => {
  it('keeps every position when it blanks literals, comments and quoted names', () => {
    const sql = `SELECT 'a\\'b''c', "d", \`e f\` /* g */ -- h\nFROM t # i\nWHERE x`;
    const blanked = blankLiterals(sql);
    expect(blanked).toHaveLength(sql.length);
    expect(blanked).not.toMatch(/[abcghi]\b/);
    expect(blanked.indexOf('WHERE')).toBe(sql.indexOf('WHERE'));
  });

  it('takes nothing quoted or commented for a call', () => {
    expect(refusal(`SELECT 'file(' AS a, 1 -- url(\n/* s3( */`)).toBeUndefined();
    expect(refusal(`SELECT 'it''s \\' file(' AS a`)).toBeUndefined();
    expect(refusal('SELECT profile(x), file, curl(x) FROM t')).toBeUndefined();
  });

  it('refuses calls that reach outside, however they are written', () => {
    for (const sql of [
      `SELECT * FROM file('x')`,
      `SELECT 'a' FROM FILE\n ('x')`,
      `SELECT * FROM file/* */('x')`,
      `SELECT * FROM file -- \n('x')`,
      'SELECT * FROM `url`(x)',
      'SELECT * FROM "remote" (x)',
      `SELECT * FROM \`fi\\x6ce\`('x')`,
      `SELECT 'a\\\\', file('x')`,
      `INSERT INTO FUNCTION s3('x') SELECT 1`,
      `SELECT 1 INTO  OUTFILE 'x'`,
      `CREATE TABLE t (a Int8) ENGINE=URL('x')`,
      'SET max_threads = 1',
      'SELECT 1; SELECT 2',
    ]) {
      expect([sql, refusal(sql)]).toEqual([sql, expect.any(String)]);
    }
  });

  it.each([
    ['a heredoc', "SELECT $$'$$ AS q, * FROM file('x') -- '"],
    ['a heredoc with a tag', "SELECT $a$'$a$ AS q, * FROM file('x') -- '"],
    ['typographic quotes', "SELECT ‘'’ AS q, * FROM file('x') -- '"],
    ['a name in typographic quotes', "SELECT * FROM “file”('x')"],
    ['a path in typographic quotes', 'SELECT * FROM “/etc/passwd”'],
    ['white space of no width', "SELECT * FROM file\u200b('x')"],
    ['the next-line character', "SELECT * FROM file\u0085('x')"],
    ['a comment of two slashes', "SELECT 1 //'\n, * FROM file('x') -- '"],
    ['a query in a string', "SELECT * FROM eval('SELECT * FROM file(\\'x\\')')"],
    ['a name that is a parameter', 'SELECT * FROM { x : Identifier }'],
    ['a quoted name of a parameter', 'SELECT * FROM {`x`:Identifier}'],
    [
      'an engine with a directory of its own',
      "CREATE TABLE t (a Int8) ENGINE = EmbeddedRocksDB(0, '/tmp/x') PRIMARY KEY a",
    ],
    ['an engine that runs what is inserted', 'CREATE TABLE t (query String) ENGINE QueryRunner'],
    ['an engine behind another statement', 'DROP TABLE a PARALLEL WITH CREATE TABLE t (a Int8) ENGINE=FileLog'],
    ['a statement behind another', "DROP TABLE a PARALLEL WITH ATTACH TABLE t FROM '/etc' (a Int8)"],
  ])('cannot be deceived by %s', (_, sql) => {
    expect(refusal(sql)).toBeDefined();
  });

  it.each(['SYSTEM SHUTDOWN', '/* */ system\nKILL', 'SYSTEM RELOAD CONFIG', 'EXECUTE AS someone SYSTEM KILL'])(
    'does not let %s end the processes around the store',
    (sql) => {
      expect(refusal(sql)).toBeDefined();
    },
  );

  it('lets merges be stopped', () => {
    expect(refusal('SYSTEM STOP MERGES spans')).toBeUndefined();
  });

  it('takes any character within quotes and comments, and every engine that keeps rows', () => {
    expect(refusal("SELECT '$$ // ‘“​ é' -- é $$\n/* “ */ AS a")).toBeUndefined();
    expect(refusal('CREATE TABLE t (a Int8) ENGINE = ReplacingMergeTree(a) ORDER BY a')).toBeUndefined();
    expect(refusal('SELECT engine FROM system.tables')).toBeUndefined();
  });

  it('reads a text of megabytes that closes nothing it opens in one pass', () => {
    // Reading it once for each opening would take minutes and run into the test's time limit.
    for (const piece of ['/*', "'", '"', '`', "\\'", "''\\"]) {
      const sql = `SELECT ${piece.repeat(500_000)}`;
      try {
        expect(blankLiterals(sql)).toHaveLength(sql.length);
      } catch (error) {
        // The regular expression's stack is bounded, and what it cannot read is refused.
        expect(error).toBeInstanceOf(RangeError);
      }
    }
  });

  it('lets one statement end with a semicolon', () => {
    expect(refusal('SELECT 1;\n-- done')).toBeUndefined();
  });

  it('finds placeholders but not those in literals', () => {
    expect([...placeholdersOf(blankLiterals(`SELECT {a:String}, '{b:String}', { c : Array(UInt64) }`))]).toEqual([
      'a',
      'c',
    ]);
  });

  it('turns an INSERT of rows into one that reads a file', () => {
    const sql = `INSERT INTO spans SELECT a, 'input(' FROM input('a UInt64, b String') SETTINGS x = 'FORMAT Native' FORMAT Native`;
    const insert = parseRowsInsert(sql, blankLiterals(sql));
    expect(insert?.table).toBe('spans');
    expect(insert?.readingFrom(`/d'x/1`)).toBe(
      `INSERT INTO spans SELECT a, 'input(' FROM file('/d\\'x/1', Native, 'a UInt64, b String') SETTINGS x = 'FORMAT Native' `,
    );
  });

  it('takes an INSERT … SELECT for an ordinary statement', () => {
    const sql = 'INSERT INTO t SELECT 1 FORMAT Native';
    expect(parseRowsInsert(sql, blankLiterals(sql))).toBeUndefined();
  });

  it('quotes whatever it is given', () => {
    expect(quoteSql(`a'b\\c\0`)).toBe(`'a\\'b\\\\c\\0'`);
  });

  it.each([
    'SELECT * FROM "/etc/passwd"',
    'SELECT * FROM `x.csv`',
    "CREATE DATABASE f ENGINE = Filesystem('/etc')",
    'CREATE DICTIONARY d (k UInt64) PRIMARY KEY k',
  ])('does not let %s read a file in the place of a table', (sql) => {
    expect(refusalOf(blankLiterals(sql))).toBeDefined();
  });
});

describe('withLiterals', () => {
  const replaced = (sql: string, parameters: Record<string, string>) =>
    withLiterals(sql, new Map(Object.entries(parameters)));

  it('puts strings and integers in the places of their parameters', () => {
    expect(replaced('SELECT {a:String}, { b : UInt32 } + {b:Int64}', { a: 'x', b: '-3' })).toBe(
      "SELECT 'x', _CAST('-3', 'UInt32') + _CAST('-3', 'Int64')",
    );
  });

  it.each([
    ["it\\'s", "'it\\'s'"],
    ["'; DROP TABLE spans --", "'\\'; DROP TABLE spans --'"],
    ['a\\\\', "'a\\\\'"],
    ["a\\\\\\'", "'a\\\\\\''"],
    ['\\t\\n\\r', "'\t\n\r'"],
    ['{b:String}', "'{b:String}'"],
    ['$& $1', "'$& $1'"],
    ['\0', "'\\0'"],
    ['', "''"],
  ])('keeps the string that was sent as %j within its quotes', (sent, literal) => {
    expect(replaced('SELECT {a:String} AS x', { a: sent })).toBe(`SELECT ${literal} AS x`);
  });

  it('leaves literals, comments and quoted names alone', () => {
    const sql = 'SELECT \'{a:String}\', "{a:String}" -- {a:String}\n, {a:String} /* {a:String} */';
    expect(replaced(sql, { a: 'x' })).toBe("SELECT '{a:String}', \"{a:String}\" -- {a:String}\n, 'x' /* {a:String} */");
  });

  it.each([
    ['a type that is neither', 'SELECT {a:Array(String)}, {b:String}', { a: "['x']", b: 'y' }],
    ['an integer that is none', 'SELECT {a:UInt8}', { a: '1 OR 1' }],
    ['escapes that are not written here', 'SELECT {a:String}', { a: '\\x41' }],
    ['NULL', 'SELECT {a:String}', { a: '\\N' }],
    ['a backslash at the end', 'SELECT {a:String}', { a: 'x\\' }],
    ['a parameter that was not sent', 'SELECT {a:String}', {}],
    ['a long value that is named often', `SELECT ${'length({a:String}), '.repeat(20)} 1`, { a: 'x'.repeat(16_000) }],
  ])('leaves the whole text to the engine with %s', (_, sql, parameters) => {
    expect(replaced(sql, parameters)).toBeUndefined();
  });
});
