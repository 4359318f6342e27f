/**
 * Why a task gives up: throw one of these, with a sentence that says what was wrong and where.
 *
 * Owns: the three failures of the contract, and its word for each.
 */

/** A task gave up. Any other exception counts as `Permanent`, and its stack goes to stderr. */
export class Failure extends Error {
  /**
   * The contract's word.
   * @returns {"invalid-input" | "transient" | "permanent"}
   */
  get tag() {
    return "permanent";
  }
}

/** The data or the parameters are wrong, and would be wrong again. Never retried. */
export class InvalidInput extends Failure {
  /** @returns {"invalid-input"} */
  get tag() {
    return "invalid-input";
  }
}

/** Something outside was in the way for now. The only failure that is worth another attempt. */
export class Transient extends Failure {
  /** @returns {"transient"} */
  get tag() {
    return "transient";
  }
}

/** The task cannot do this, now or later, and the input is not to blame. Never retried. */
export class Permanent extends Failure {}
