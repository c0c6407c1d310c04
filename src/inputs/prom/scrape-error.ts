/** Why a page that was fetched whole is refused all the same. */

/** A limit of the target's was met; the message has the limit's name. */
export class LimitError extends Error {
  override readonly name = 'LimitError';
}

/** The page has more samples than it may. */
export class TooManySamples extends LimitError {
  readonly scraped: number;
  constructor(scraped: number, limit: number, isCountedWhole: boolean) {
    super(
      `the page has ${isCountedWhole ? '' : 'more than '}${scraped} samples, the limit of sample_limit is ${limit}: raise it, or leave series out`,
    );
    this.scraped = scraped;
  }
}
