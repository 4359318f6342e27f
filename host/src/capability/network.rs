//! The network: linked, because languages import it, and denied.
//!
//! Owns: the answer `access-denied` to whoever wants a socket, before the operating system hears of it.
//! Its limit: nothing is let through. It charges: a call's fuel.
//! Its escape test: `sockets_are_denied_with_the_interfaces_own_error` in the tests package.
//! Never: creates a socket.

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::{tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{IoError, SocketError, SocketResult, TcpSocket, UdpSocket};

use super::Guest;

/// Counts what it denies.
#[derive(Default)]
pub(crate) struct DeniedNetwork {
    pub(crate) calls_denied: u32,
}

impl HasData for DeniedNetwork {
    type Data<'a> = &'a mut DeniedNetwork;
}

impl network::Host for DeniedNetwork {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, _: Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(None)
    }
}

impl network::HostNetwork for DeniedNetwork {
    /// Handles to the network are made and dropped by wasmtime-wasi's own functions; none comes here.
    fn drop(&mut self, _: Resource<network::Network>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl tcp_create_socket::Host for DeniedNetwork {
    fn create_tcp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        self.calls_denied = self.calls_denied.saturating_add(1);
        Err(ErrorCode::AccessDenied.into())
    }
}

impl udp_create_socket::Host for DeniedNetwork {
    async fn create_udp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        self.calls_denied = self.calls_denied.saturating_add(1);
        Err(ErrorCode::AccessDenied.into())
    }
}

/// Puts the denials over wasmtime-wasi's own functions.
pub(super) fn link_denials<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    tcp_create_socket::add_to_linker::<T, DeniedNetwork>(linker, denied)?;
    udp_create_socket::add_to_linker::<T, DeniedNetwork>(linker, denied)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn denied<T: Guest>(guest: &mut T) -> &mut DeniedNetwork {
    &mut guest.called().network
}
