/** What the store process has to know about a statement's text before the engine sees it: what it may not call, and where an INSERT's rows stand. */

/** Functions and clauses that reach outside of the store: files, other hosts, programs. Our own SQL never uses them. */
const outsideFunctions =
  /\b(file|fileCluster|filesystem|url|urlCluster|s3|s3Cluster|gcs|hdfs|hdfsCluster|azureBlobStorage\w*|oss|cosn|remote|remoteSecure|cluster|clusterAllReplicas|executable|mysql|postgresql|mongodb|redis|sqlite|odbc|jdbc|iceberg\w*|deltaLake\w*|hudi\w*|paimon\w*|python|ytsaurus|arrowFlight|arrowStream|catBoostEvaluate|eval|ai(?:Classify|Embed|Extract|Generate|Translate))\s*\(/i;
const outsideClauses =
  /\bINTO\s+OUTFILE\b|\bFROM\s+INFILE\b|\bENGINE\s*=?\s*(File|URL|S3\w*|HDFS|MySQL|PostgreSQL|MongoDB|Redis|SQLite|ODBC|JDBC|Executable\w*|Kafka|RabbitMQ|NATS|AzureBlobStorage|AzureQueue|Iceberg\w*|DeltaLake\w*|Hudi|Filesystem|Overlay)\b|\bDICTIONARY\b|^\s*(ATTACH|BACKUP|RESTORE|EXECUTE)\b/i;

/** SYSTEM SHUTDOWN and SYSTEM KILL signal every process of the store's group, the agent among them. */
const systemClause = /^\s*SYSTEM\b(?!\s+(?:START|STOP)\s+MERGES\b)/i;
/** Engines whose tables lie in the store's own directory and hold nothing but rows; others open files, hosts, or run what is inserted. */
const engineClause = /\bENGINE\s*=?\s*(?!(?:\w*MergeTree|Memory|Null)\b)\w+/i;
const createClause = /\bCREATE\b|\bREPLACE\s+TABLE\b/i;
/** A name that comes as a parameter is not looked at here, and a path in the place of a table is read as a file. */
const nameParameter = /\{\s*\w+\s*:\s*Identifier\b/i;

/**
 * What the engine's own reader takes for a quote, a comment or white space and the one below does not: ‘’, “”, $$, //, U+200B and their like.
 * After one of them the two would not agree on what is quoted. (ClickHouse: src/Parsers/Lexer.cpp)
 */
const otherwiseRead = /[^\t\n\r -~]|\$|\/\//;

/** What is opened and never closed reaches to the end, so that no text is read more than once. */
const literal =
  /'(?:[^'\\]|\\[\s\S]|'')*(?:'|\\?$)|"(?:[^"\\]|\\[\s\S]|"")*(?:"|\\?$)|`(?:[^`\\]|\\[\s\S]|``)*(?:`|\\?$)|--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g;

/** Stands for a quoted name that is no plain word: with escapes it could spell anything, and a path in the place of a table is read as a file. */
const escapedName = '\u0001';

/**
 * The text with the inside of every literal and comment blanked and quoted names unquoted, so that positions stay and nothing quoted is
 * taken for SQL. A quoted name keeps its letters: `file`('…') calls file() too.
 */
export function blankLiterals(sql: string): string {
  return sql.replace(literal, (match) => {
    const quote = match.charAt(0);
    if (match.length < 2) return match;
    if (quote === "'") return `'${' '.repeat(match.length - 2)}'`;
    if (quote !== '"' && quote !== '`') return ' '.repeat(match.length);
    const name = match.slice(1, -1);
    return /\W/.test(name) ? escapedName.repeat(match.length) : ` ${name} `;
  });
}

/** Why a statement may not be run, or undefined. */
export function refusalOf(blanked: string): string | undefined {
  if (blanked.includes(escapedName)) return 'quoted names are plain words here';
  const unread = otherwiseRead.exec(blanked);
  if (unread !== null) return `${JSON.stringify(unread[0])} stands outside of quotes`;
  if (nameParameter.test(blanked)) return 'a parameter cannot be a name (Identifier)';
  const call = outsideFunctions.exec(blanked);
  if (call !== null) return `${call[1]}() reaches outside of the store`;
  const clause = outsideClauses.exec(blanked);
  if (clause !== null) return `${clause[0].trim()} reaches outside of the store`;
  if (systemClause.test(blanked)) return 'of SYSTEM only START MERGES and STOP MERGES are for clients';
  const engine = createClause.test(blanked) ? engineClause.exec(blanked) : null;
  if (engine !== null) return `${engine[0]} is none of the store's engines (MergeTree and its kin, Memory, Null)`;
  if (/^\s*(SET|USE)\b/i.test(blanked)) return 'settings stand in the text of the query they are for (SETTINGS …)';
  if (/;\s*\S|\bPARALLEL\s+WITH\b/i.test(blanked)) return 'a request carries one statement';
  return undefined;
}

/** The names of the text's `{name:Type}` placeholders. */
export function placeholdersOf(blanked: string): ReadonlySet<string> {
  return new Set([...blanked.matchAll(/\{\s*([A-Za-z_]\w*)\s*:/g)].map((match) => match[1] ?? ''));
}

const simplePlaceholder = /\{\s*([A-Za-z_]\w*)\s*:\s*(String|U?Int(?:8|16|32|64))\s*\}/g;
const tsvEscapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', "'": "'", '\\': '\\' };
const unescapedTsv = (text: string) => text.replace(/\\(.)/g, (_, letter: string) => tsvEscapes[letter] ?? letter);

/** A parameter's value as a literal of its type, or undefined where the engine should look at it itself. */
function literalOf(value: string | undefined, type: string): string | undefined {
  if (value === undefined) return undefined;
  if (type !== 'String') return /^-?\d{1,20}$/.test(value) ? `_CAST('${value}', '${type}')` : undefined;
  return /\\(?![tnr'\\])/.test(value.replaceAll('\\\\', '')) ? undefined : quoteSql(unescapedTsv(value));
}

/** The engine reads 256 KiB of a statement (max_query_size), and a value stands in it as often as it is named. */
const maxTextLength = 64 * 1024;

/**
 * The text with its placeholders replaced by literals, as the engine itself would do, which spares it a statement that sets them; undefined
 * where one of them has another type than a string or an integer, or a value with unusual escapes, or where the text would be too long.
 */
export function withLiterals(sql: string, parameters: ReadonlyMap<string, string>): string | undefined {
  const blanked = blankLiterals(sql);
  const simple = [...blanked.matchAll(simplePlaceholder)];
  if (simple.length !== [...blanked.matchAll(/\{\s*[A-Za-z_]\w*\s*:/g)].length) return undefined;
  let text = '';
  let end = 0;
  for (const { 0: match, 1: name = '', 2: type = '', index } of simple) {
    const literalText = literalOf(parameters.get(name), type);
    if (literalText === undefined) return undefined;
    text += sql.slice(end, index) + literalText;
    end = index + match.length;
    if (text.length > maxTextLength) return undefined;
  }
  return text + sql.slice(end);
}

export function quoteSql(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\0', '\\0')}'`;
}

/** An INSERT whose rows follow in the request's body. */
export interface RowsInsert {
  readonly table: string;
  /** The same INSERT reading its rows from a file. */
  readonly readingFrom: (path: string) => string;
}

const inputCall = /\binput\s*\(\s*('[^']*')\s*\)/i;
const formatNative = /\bFORMAT\s+Native\s*;?\s*$/i;

/** Recognises `INSERT … FROM input('structure') … FORMAT Native`; undefined for any other statement. */
export function parseRowsInsert(sql: string, blanked: string): RowsInsert | undefined {
  if (!/^\s*INSERT\b/i.test(blanked)) return undefined;
  const table = /^\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?:default\.)?(\w+)/i.exec(blanked)?.[1];
  const format = formatNative.exec(blanked);
  const input = inputCall.exec(blanked);
  const quoted = input?.[1];
  if (format === null || input === null || quoted === undefined || table === undefined) return undefined;
  const start = input.index + input[0].indexOf(quoted);
  const structure = sql.slice(start, start + quoted.length);
  const before = sql.slice(0, input.index);
  const after = sql.slice(input.index + input[0].length, format.index);
  return { table, readingFrom: (path) => `${before}file(${quoteSql(path)}, Native, ${structure})${after}` };
}
