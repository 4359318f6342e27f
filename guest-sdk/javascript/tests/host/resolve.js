/** Which module of these tests stands for which interface of the host. */

/** @type {import("node:module").ResolveHook} */
export function resolve(specifier, context, next) {
  const [, name] = /^pframe:task\/(.+)@/.exec(specifier) ?? [];
  return name ? { url: new URL(`${name}.js`, import.meta.url).href, shortCircuit: true } : next(specifier, context);
}
