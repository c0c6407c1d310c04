/** The parameters of a request: those of the body go before those of the URL, as Go's `FormValue` has it. An absent one is ''. */
export type Parameters = (name: string) => string;

/** Reads parameters by name from the URL's query string and the body. */
export const parametersOf =
  (query: URLSearchParams, form: URLSearchParams | undefined): Parameters =>
  (name) =>
    form?.get(name) ?? query.get(name) ?? '';
