/** Rules, alerts and alertmanagers: Trawl evaluates no rules, and says so in the shapes of Prometheus (web/api/v1 `rules`, `alerts`). */
import type { Parameters } from '../parameters.ts';
import type { QueryRequest, QueryRoute } from '../query-route.ts';
import { type Answer, answerData } from './answer.ts';
import { BadParameter, wholeNumberFault } from './parameters.ts';
import { getRoute } from './routes.ts';
import { matchParameters } from './selectors.ts';

const invalid = (name: string, message: string): BadParameter =>
  new BadParameter(`invalid parameter "${name}": ${message}`);

/** What Go's `strconv.ParseBool` takes. */
const booleans: ReadonlySet<string> = new Set([
  '1',
  't',
  'T',
  'TRUE',
  'true',
  'True',
  '0',
  'f',
  'F',
  'FALSE',
  'false',
  'False',
]);

/** Refuses what Prometheus refuses, so that a client with a mistake learns of it here as well. */
function checkRuleParameters(parameters: Parameters, request: QueryRequest): void {
  const type = parameters('type');
  if (!['', 'alert', 'record'].includes(type.toLowerCase()))
    throw invalid('type', `not supported value ${JSON.stringify(type.toLowerCase())}`);
  matchParameters(request, '');
  const excludes = parameters('exclude_alerts');
  if (excludes !== '' && !booleans.has(excludes))
    throw invalid(
      'exclude_alerts',
      `error converting exclude_alerts: strconv.ParseBool: parsing ${JSON.stringify(excludes)}: invalid syntax`,
    );
  const limit = parameters('group_limit');
  if (limit === '') {
    if (parameters('group_next_token') !== '')
      throw invalid('group_next_token', 'group_limit needs to be present in order to paginate over the groups');
    return;
  }
  const fault = wholeNumberFault(limit, { name: 'ParseInt', most: 2n ** 31n - 1n });
  if (fault !== undefined) throw invalid('group_limit', `group_limit needs to be a valid number: ${fault}`);
  if (Number(limit) <= 0) throw invalid('group_limit', 'group_limit needs to be greater than 0');
  const token = parameters('group_next_token');
  // Of no groups there is no next page.
  if (token !== '') throw invalid('group_next_token', `invalid group_next_token '${token}'. were rule groups changed?`);
}

const noRules = (parameters: Parameters, request: QueryRequest): Answer => {
  checkRuleParameters(parameters, request);
  return answerData('{"groups":[]}');
};

/** The routes about rules, all of them without any. */
export const createRuleRoutes = (): readonly QueryRoute[] => [
  getRoute('/api/v1/rules', noRules),
  getRoute('/api/v1/alerts', () => answerData('{"alerts":[]}')),
  getRoute('/api/v1/alertmanagers', () => answerData('{"activeAlertmanagers":[],"droppedAlertmanagers":[]}')),
];
