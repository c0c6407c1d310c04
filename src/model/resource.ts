/** What emitted a record, in one vocabulary for every signal; `docs/concepts/model.md` says how each source fills it. An unknown field is ''. */
export interface Resource {
  /** The workload's name without its namespace, e.g. `productpage`. */
  readonly service: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly node: string;
  readonly version: string;
  /** Everything else that is said once for all records of the emitter; `global_tags` land here. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** The resource of a record whose emitter said nothing about itself. */
export const emptyResource: Resource = Object.freeze({
  service: '',
  namespace: '',
  pod: '',
  container: '',
  node: '',
  version: '',
  attributes: Object.freeze({}),
});
