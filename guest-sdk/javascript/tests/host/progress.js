/** The host's side of `progress`: it keeps what is reported. */

/** @type {{ done: number, message: string | undefined }[]} */
export const reports = [];

/**
 * @param {number} done
 * @param {string | undefined} message
 */
export function report(done, message) {
  reports.push({ done, message });
}
