/** Lets the SDK find a host under `node`. Owns: nothing else. */

import { register } from "node:module";

register("./resolve.js", import.meta.url);
