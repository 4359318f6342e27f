/** What the host gives a component: `wit/task.wit` as `componentize-js` shows it. Owns: nothing that runs. */

declare module "pframe:task/types@0.1.0" {
  export type ReadError =
    | { tag: "out-of-range" }
    | { tag: "too-long" }
    | { tag: "input-changed" }
    | { tag: "io"; val: string };
  export type Span = { start: bigint; end: bigint; unit: "bytes" | "milliseconds" };
}

declare module "pframe:task/input@0.1.0" {
  import type { Span } from "pframe:task/types@0.1.0";

  export interface Chunk {
    jobId(): string;
    index(): number;
    count(): number;
    attempt(): number;
    source(): string;
    mediaType(): string | undefined;
    size(): bigint;
    span(): Span;
    read(offset: bigint, length: number): Uint8Array;
  }

  export interface Source {
    name(): string;
    mediaType(): string | undefined;
    size(): bigint;
    read(offset: bigint, length: number): Uint8Array;
  }

  export interface Partials {
    count(): number;
    size(index: number): bigint;
    read(index: number, offset: bigint, length: number): Uint8Array;
  }
}

declare module "pframe:task/output@0.1.0" {
  export function write(bytes: Uint8Array): void;
}

declare module "pframe:task/progress@0.1.0" {
  export function report(done: number, message: string | undefined): void;
}
