# Builds a handler: `make` makes the component build/NAME.wasm of all sources in C in the folder. A Makefile needs two lines:
#
#     NAME = line_count
#     include pframe/handler.mk
#
# On Debian 12 everything is there after
#
#     apt-get install make clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc
#
# except `wasm-component-ld`, which makes a component of what wasm-ld has linked: it comes with rustup's Rust, with Debian's
# `rust-web-llvm`, and with wasi-sdk.

NAME ?= handler
SOURCES ?= $(wildcard *.c)

# A clang with a C library for WASI; it finds its own wasm-ld.
WASM_CC ?= clang-22
# The name of the target by which this clang finds that library. Debian's goes by the old name of wasm32-wasip1, of which clang
# says that it is old.
WASM_TARGET ?= wasm32-wasi
WASM_CFLAGS ?= -O2 -Wall -Wextra
# A stack as large as Rust's. It lies first: one that runs over ends in a trap, and not in the data.
WASM_LDFLAGS ?= -Wl,-z,stack-size=1048576 -Wl,--stack-first -Wl,--strip-debug

# A path.
ifndef COMPONENT_LD
COMPONENT_LD := $(firstword $(shell command -v wasm-component-ld) \
    $(wildcard $(shell rustc --print sysroot 2>/dev/null)/lib/rustlib/*/bin/wasm-component-ld) \
    $(wildcard /usr/lib/rustlib/*/bin/wasm-component-ld))
endif

PFRAME := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
PFRAME_HEADERS := $(addprefix $(PFRAME)/,pframe.h generated/bindings.h generated/worlds.h)
OBJECTS := $(patsubst %.c,build/%.o,$(SOURCES)) \
    $(addprefix build/pframe/,pframe.o pframe_parameters.o generated/bindings.o)
WASM_DRIVER := $(WASM_CC) --target=$(WASM_TARGET) -Wno-deprecated

# A reactor has functions to call and no `main`. An optimiser of core modules, which clang runs if there is one, cannot read a
# component.
build/$(NAME).wasm: $(OBJECTS)
	@test -n "$(COMPONENT_LD)" || { echo "there is no wasm-component-ld; $(PFRAME)/handler.mk says what has it" >&2; exit 1; }
	$(WASM_DRIVER) -mexec-model=reactor --no-wasm-opt -fuse-ld=$(COMPONENT_LD) $(WASM_LDFLAGS) $^ $(LDLIBS) -o $@

build/%.o: %.c $(wildcard *.h) $(PFRAME_HEADERS)
	@mkdir -p $(@D)
	$(WASM_DRIVER) $(WASM_CFLAGS) -I $(PFRAME) -c $< -o $@

# Warnings that somebody asks for are about somebody's own code.
build/pframe/%.o: $(PFRAME)/%.c $(PFRAME_HEADERS)
	@mkdir -p $(@D)
	$(WASM_DRIVER) $(WASM_CFLAGS) -w -c $< -o $@

clean:
	rm -rf build

.PHONY: clean
