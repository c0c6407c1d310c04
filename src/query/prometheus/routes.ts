/** How an answer of Prometheus's API becomes a route. */
import { type Parameters, parametersOf } from '../parameters.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { type Answer, answerFor } from './answer.ts';

export type Handler = (parameters: Parameters, request: QueryRequest) => Promise<Answer> | Answer;

/** A route of GET that answers JSON; errors that Prometheus has words for are told in them. */
export const getRoute = (path: string, handler: Handler): QueryRoute => ({
  method: 'GET',
  path,
  async handle(request): Promise<QueryResponse> {
    try {
      const answer = await handler(parametersOf(request.query, request.form), request);
      return { ...answer, contentType: 'application/json' };
    } catch (error) {
      return { ...answerFor(error), contentType: 'application/json' };
    }
  },
});
