/** Thrown while a span is read that has more parts than whoever asked for it takes: the rest of it is not looked at. */
export class WideSpanError extends Error {
  override readonly name = 'WideSpanError';

  constructor(parts: 'tags' | 'annotations' | 'fields' | 'services', limit: number) {
    super(`a span of the body has more than ${limit} ${parts}`);
  }
}
