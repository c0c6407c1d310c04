import { randomBytes } from 'node:crypto';
import { callApi, defaultAgentUrl, expectSuccess } from './api-client.ts';
import { type Command, programName } from './command.ts';

/** `trawl send span`: proves the way in without a mesh. */
export const sendSpan: Command = {
  name: 'send span',
  summary: 'Sends one span of your own to an agent and says how to look at it.',
  positionals: [],
  options: {
    url: { type: 'string', value: 'URL', description: `The agent (default ${defaultAgentUrl}).` },
    service: { type: 'string', value: 'NAME', description: 'The service that the span is of (default demo).' },
    name: { type: 'string', value: 'NAME', description: "The span's name (default hello)." },
    tag: { type: 'string', value: 'KEY=VALUE', multiple: true, description: 'A tag; may be repeated.' },
  },
  example: 'trawl send span --service shop --name checkout --tag http.method=POST',
  async run(args, terminal) {
    const traceId = randomBytes(16).toString('hex');
    const tags = Object.fromEntries(
      args.texts('tag').map((tag) => {
        const at = tag.indexOf('=');
        return at < 0 ? [tag, ''] : [tag.slice(0, at), tag.slice(at + 1)];
      }),
    );
    const span = {
      traceId,
      id: randomBytes(8).toString('hex'),
      kind: 'SERVER',
      name: args.text('name') ?? 'hello',
      timestamp: Date.now() * 1000,
      duration: 12_345,
      localEndpoint: { serviceName: args.text('service') ?? 'demo' },
      tags,
    };
    const url = args.text('url') ?? defaultAgentUrl;
    expectSuccess(await callApi(url, { method: 'POST', path: '/api/v2/spans', json: [span] }));
    terminal.out(`kept 1 span of trace ${traceId}`);
    terminal.out(
      `look at it:  ${programName()} query trace ${traceId}${url === defaultAgentUrl ? '' : ` --url ${url}`}`,
    );
    return 0;
  },
};
