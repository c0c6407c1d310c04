import { describe, expect, it } from 'vitest';
import { createLocator } from './locator.ts';
import { lineAndColumn } from './problem.ts';
import type { Path } from './schema-walk.ts';

const text = `# [[inputs.prom]] in a comment
node_name = 'a # b'
a.b."c d" = [1, [2, "]"], # ]
  { x = 1, y.z = "}" }]

[[inputs.prom]] # first
urls = ["http://a", 'http://b']
doc = """
[[inputs.prom]]
interval = "\\"""x"
"""
raw = '''
source = 'x' '''
[inputs.prom.tags]
k = "v"

  [[inputs.prom.measurements]]
  prefix = "a"
  [[inputs.prom.measurements]]
  prefix = "b"

[[inputs.prom]]
  interval = "1s"
  tags = { a = "1", "b.c" = { d = 2 } }
[inputs.zipkin]
pathV1 = ""
[ store . "x" ]
y = 1979-05-27 07:32:00Z
`;

describe('the locator', () => {
  const locator = createLocator(text);
  const at = (path: Path) => {
    const position = locator.find(path);
    if (position === undefined) return undefined;
    const { line, column } = lineAndColumn(text, position.keyStart);
    return `${line}:${column} ${text.slice(position.valueStart, position.valueEnd)}`;
  };

  it.each<[Path, string]>([
    [['node_name'], "2:1 'a # b'"],
    [['a', 'b', 'c d', 0], '3:14 1'],
    [['a', 'b', 'c d', 1, 1], '3:21 "]"'],
    [['a', 'b', 'c d', 2, 'x'], '4:5 1'],
    [['a', 'b', 'c d', 2, 'y', 'z'], '4:14 "}"'],
    [['inputs', 'prom', 0], '6:1 [[inputs.prom]]'],
    [['inputs', 'prom', 0, 'urls', 1], "7:21 'http://b'"],
    [['inputs', 'prom', 0, 'tags', 'k'], '15:1 "v"'],
    [['inputs', 'prom', 0, 'measurements', 1, 'prefix'], '20:3 "b"'],
    [['inputs', 'prom', 1, 'interval'], '23:3 "1s"'],
    [['inputs', 'prom', 1, 'tags', 'b.c', 'd'], '24:31 2'],
    [['inputs', 'zipkin', 'pathV1'], '26:1 ""'],
    [['store', 'x', 'y'], '28:1 1979-05-27 07:32:00Z'],
  ])('finds %j', (path, expected) => {
    expect(at(path)).toBe(expected);
  });

  it('takes nothing inside texts and comments for keys', () => {
    expect(at(['inputs', 'prom', 2])).toBeUndefined();
    expect(at(['inputs', 'prom', 0, 'interval'])).toBeUndefined();
    expect(at(['inputs', 'prom', 0, 'source'])).toBeUndefined();
  });

  it('answers with the nearest table around a key that is not written', () => {
    const { position, isExact } = locator.nearest(['inputs', 'prom', 1, 'urls', 0]);
    expect(isExact).toBe(false);
    expect(lineAndColumn(text, position.keyStart).line).toBe(22);
  });
});
