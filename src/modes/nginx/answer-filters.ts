/**
 * Directives with which a site changes every answer, ours included, when they stand at `http` or `server`
 * level, and what takes their effect from a location. What a location needs is written only where the
 * configuration has the directive: nginx does not know those of modules that it does not have.
 *
 * Filters that go by the type of an answer do not fit ours, for theirs is `text/html; charset=utf-8` to the
 * letter; all but those that are told to take every type (`*`).
 */
const remedies = {
  addition_types: 'addition_types application/x-none;',
  charset_types: 'charset_types application/x-none;',
  ssi_types: 'ssi_types application/x-none;',
  sub_filter_types: 'sub_filter_types application/x-none;',
  subs_filter_types: 'subs_filter_types application/x-none;',
  header_filter_by_lua: 'header_filter_by_lua_block { return }',
  body_filter_by_lua: 'body_filter_by_lua_block { return }',
  // With `rewrite_by_lua_no_postpone` it comes before our `return`.
  rewrite_by_lua: 'rewrite_by_lua_block { return }',
} as const;

export type AnswerFilter = keyof typeof remedies;

export const answerFilters = Object.keys(remedies) as readonly AnswerFilter[];

/** Which of them a configuration has. @param directives names of its directives */
export function answerFiltersIn(directives: ReadonlySet<string>): readonly AnswerFilter[] {
  return answerFilters.filter((filter) =>
    filter.endsWith('_by_lua')
      ? ['', '_block', '_file'].some((form) => directives.has(filter + form))
      : directives.has(filter),
  );
}

/** The line that frees a location of the filter. */
export function remedyFor(filter: AnswerFilter): string {
  return remedies[filter];
}

/** Forms of the one directive that runs before any hook can. */
const earlier = ['server_rewrite_by_lua_block', 'server_rewrite_by_lua_file'];

/** Directives of the configuration that may answer a request before the hook sees it. */
export function answersBeforeHook(directives: ReadonlySet<string>): readonly string[] {
  return earlier.filter((name) => directives.has(name));
}
