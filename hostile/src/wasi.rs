//! Parts of WASI 0.2 as text, as much as the attacks need.
//!
//! Owns: imports and their lowered functions. The text of a [`Guest`](crate::Guest) defines `$libc` before.

/// Output streams, and polling: `$poll`, `$get-stdout`, `$zeroes`, `$print`.
pub(crate) const STREAMS: &str = r#"
  (import "wasi:io/poll@0.2.0" (instance $poll-interface
    (export "pollable" (type $p (sub resource)))
    (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
  (core func $poll (canon lower (func $poll-interface "poll")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (import "wasi:io/error@0.2.0" (instance $error-interface
    (export "error" (type (sub resource)))))
  (alias export $error-interface "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $e))
    (export "error" (type $error (eq $e)))
    (export "output-stream" (type $output-stream (sub resource)))
    (type $s (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $s)))
    (export "[method]output-stream.write-zeroes" (func
      (param "self" (borrow $output-stream)) (param "len" u64)
      (result (result (error $stream-error)))))
    (export "[method]output-stream.write" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $o))
    (export "output-stream" (type $output-stream (eq $o)))
    (export "get-stdout" (func (result (own $output-stream))))))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $zeroes (canon lower (func $streams "[method]output-stream.write-zeroes")
    (memory (core memory $libc "memory"))))
  (core func $print (canon lower (func $streams "[method]output-stream.write")
    (memory (core memory $libc "memory"))))"#;

/// The monotonic clock and waiting for it: `$subscribe`, `$block`.
pub(crate) const CLOCK: &str = r#"
  (import "wasi:io/poll@0.2.0" (instance $poll-interface
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll-interface "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p))
    (export "pollable" (type $pollable (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll-interface "[method]pollable.block")))"#;

/// Random bytes: `$random`.
pub(crate) const RANDOM: &str = r#"
  (import "wasi:random/random@0.2.0" (instance $random-interface
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core func $random (canon lower (func $random-interface "get-random-bytes")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))"#;

/// The end of the program: `$exit`.
pub(crate) const EXIT: &str = r#"
  (import "wasi:cli/exit@0.2.0" (instance $exit-interface
    (export "exit" (func (param "status" (result))))))
  (core func $exit (canon lower (func $exit-interface "exit")))"#;

/// The directories that were handed over: `$directories`.
pub(crate) const DIRECTORIES: &str = r#"
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type (sub resource)))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d))
    (export "descriptor" (type $descriptor (eq $d)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))"#;

/// The environment: `$environment`.
pub(crate) const ENVIRONMENT: &str = r#"
  (import "wasi:cli/environment@0.2.0" (instance $environment-interface
    (export "get-environment" (func (result (list (tuple string string)))))))
  (core func $environment (canon lower (func $environment-interface "get-environment")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))"#;

/// Sockets: `$socket` makes one for TCP over IPv4; its result's second byte is the code of the error.
pub(crate) const SOCKETS: &str = r#"
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $c (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory"
      "timeout" "concurrency-conflict" "not-in-progress" "would-block" "invalid-state"
      "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large"
      "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $c)))
    (type $f (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $f)))))
  (alias export $network "error-code" (type $error-code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (alias outer 1 $error-code (type $e))
    (export "error-code" (type $error-code (eq $e)))
    (alias outer 1 $family (type $a))
    (export "ip-address-family" (type $family (eq $a)))
    (alias outer 1 $tcp-socket (type $t))
    (export "tcp-socket" (type $socket (eq $t)))
    (export "create-tcp-socket" (func (param "address-family" $family)
      (result (result (own $socket) (error $error-code)))))))
  (core func $socket (canon lower (func $create "create-tcp-socket")
    (memory (core memory $libc "memory"))))"#;
