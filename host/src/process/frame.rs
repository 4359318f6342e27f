//! Frames between the host and its child processes, with descriptors beside them, over a Unix socket.
//!
//! A frame is a header of 8 bytes, all little-endian, and a body:
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | length of the body, at most [`FRAME_BYTES_MAX`] |
//! | 4..6 | how many descriptors come with it, at most [`DESCRIPTORS_MAX`] |
//! | 6..8 | version of the frames, [`VERSION`] |
//!
//! The body is a message in postcard's format. Descriptors travel with the frame's first byte.
//!
//! Owns: the form of frames and their caps, for both ends.
//! Never: knows what a message means, or believes a length before it has looked at it.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of frames and messages. Both ends are the same program, so another one is a mistake.
pub(crate) const VERSION: u16 = 1;
/// The longest body: the spans of a million chunks fit.
pub(crate) const FRAME_BYTES_MAX: usize = 16 << 20;
/// Descriptors that come with one frame.
pub(crate) const DESCRIPTORS_MAX: usize = 64;
const HEADER_BYTES: usize = 8;
/// Bytes asked of the socket at a time.
const READ_BYTES: usize = 64 << 10;
const ANCILLARY_BYTES: usize = rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX));

/// What is wrong with what the other end sent, or with the line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The other end is gone.
    #[error("the other end closed the line")]
    Closed,
    /// It does not keep to the form.
    #[error("{0}")]
    Malformed(&'static str),
    /// The operating system's own word.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Bytes that go over the line in one go; serde would take a vector one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bulk(pub(crate) Bytes);

impl Serialize for Bulk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bulk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: &[u8] = Deserialize::deserialize(deserializer)?;
        Ok(Self(Bytes::copy_from_slice(bytes)))
    }
}

/// A body with its descriptors.
#[derive(Debug)]
pub(crate) struct Frame {
    body: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

impl Frame {
    /// The message in the body; nothing may be left over.
    pub(crate) fn message<T: DeserializeOwned>(&self) -> Result<T, FrameError> {
        match postcard::take_from_bytes(&self.body) {
            Ok((message, [])) => Ok(message),
            Ok(_) => Err(FrameError::Malformed("a frame is longer than its message")),
            Err(_) => Err(FrameError::Malformed("a frame holds no message")),
        }
    }
}

/// What is to be sent: frames one after the other.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    /// Where in `bytes` frames with descriptors begin.
    descriptors: VecDeque<(usize, Vec<OwnedFd>)>,
}

impl Outgoing {
    /// Adds a frame.
    pub(crate) fn push<T: Serialize>(
        &mut self,
        message: &T,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), FrameError> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(message, bytes)
            .map_err(|_| FrameError::Malformed("a message cannot be encoded"))?;
        let length = self.bytes.len() - at - HEADER_BYTES;
        if length > FRAME_BYTES_MAX || descriptors.len() > DESCRIPTORS_MAX {
            self.bytes.truncate(at);
            return Err(FrameError::Malformed("a message is too long for a frame"));
        }
        let header = &mut self.bytes[at..at + HEADER_BYTES];
        header[..4].copy_from_slice(&u32::try_from(length).expect("bounded above").to_le_bytes());
        let count = u16::try_from(descriptors.len()).expect("bounded above");
        header[4..6].copy_from_slice(&count.to_le_bytes());
        header[6..].copy_from_slice(&VERSION.to_le_bytes());
        if !descriptors.is_empty() {
            self.descriptors.push_back((at, descriptors));
        }
        Ok(())
    }

    /// True where everything was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Sends as much as the socket takes; with a blocking socket that is everything.
    pub(crate) fn flush(&mut self, socket: BorrowedFd<'_>) -> Result<(), FrameError> {
        while !self.is_empty() {
            match self.send_some(socket) {
                Ok(count) => self.sent += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => {
                    return Err(FrameError::Closed);
                }
                Err(error) => return Err(FrameError::Io(error.into())),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }

    fn send_some(&mut self, socket: BorrowedFd<'_>) -> rustix::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let mut end = self.bytes.len();
        let mut carried: Vec<BorrowedFd<'_>> = Vec::new();
        let mut takes_first = false;
        if let Some((at, descriptors)) = self.descriptors.front() {
            if *at == self.sent {
                carried.extend(descriptors.iter().map(AsFd::as_fd));
                takes_first = true;
                end = self.descriptors.get(1).map_or(end, |(next, _)| *next);
            } else {
                end = *at;
            }
        }
        if takes_first {
            ancillary.push(SendAncillaryMessage::ScmRights(&carried));
        }
        let piece = [io::IoSlice::new(&self.bytes[self.sent..end])];
        let count = sendmsg(socket, &piece, &mut ancillary, SendFlags::NOSIGNAL)?;
        if takes_first {
            self.descriptors.pop_front();
        }
        Ok(count)
    }
}

/// What has come and was not yet taken.
#[derive(Debug)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    taken: usize,
    descriptors: VecDeque<OwnedFd>,
    takes_descriptors: bool,
}

impl Incoming {
    /// For the end that may be handed descriptors.
    pub(crate) fn with_descriptors() -> Self {
        Self { takes_descriptors: true, ..Self::without_descriptors() }
    }

    /// For the end that takes none: the host never lets a child hand it any.
    pub(crate) fn without_descriptors() -> Self {
        let descriptors = VecDeque::new();
        Self { bytes: Vec::new(), taken: 0, descriptors, takes_descriptors: false }
    }

    /// Reads once; false where the socket has nothing at the moment.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> Result<bool, FrameError> {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        let filled = self.bytes.len();
        self.bytes.resize(filled + READ_BYTES, 0);
        let received = self.receive_at(socket, filled);
        self.bytes.truncate(filled + received.as_ref().map_or(0, |count| *count));
        match received {
            Ok(0) | Err(rustix::io::Errno::CONNRESET) => Err(FrameError::Closed),
            Ok(_) => Ok(true),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(FrameError::Io(error.into())),
        }
    }

    fn receive_at(&mut self, socket: BorrowedFd<'_>, at: usize) -> rustix::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let room = if self.takes_descriptors { &mut space[..] } else { &mut [] };
        let mut ancillary = RecvAncillaryBuffer::new(room);
        let mut piece = [io::IoSliceMut::new(&mut self.bytes[at..])];
        let received = recvmsg(socket, &mut piece, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        Ok(received.bytes)
    }

    /// The next whole frame, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let bytes = &self.bytes[self.taken..];
        let Some((header, rest)) = bytes.split_at_checked(HEADER_BYTES) else { return Ok(None) };
        let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes")) as usize;
        let count = usize::from(u16::from_le_bytes([header[4], header[5]]));
        if u16::from_le_bytes([header[6], header[7]]) != VERSION {
            return Err(FrameError::Malformed("a frame of another version"));
        }
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::Malformed("a frame that is too long"));
        }
        if count > DESCRIPTORS_MAX || (count > 0 && !self.takes_descriptors) {
            return Err(FrameError::Malformed("a frame with too many descriptors"));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let body = body.to_vec();
        self.taken += HEADER_BYTES + length;
        if self.descriptors.len() < count {
            return Err(FrameError::Malformed("a frame without the descriptors it names"));
        }
        let descriptors = self.descriptors.drain(..count).collect();
        Ok(Some(Frame { body, descriptors }))
    }
}

/// Waits for the next frame on a blocking socket.
pub(crate) fn receive_frame(
    incoming: &mut Incoming,
    socket: BorrowedFd<'_>,
) -> Result<Frame, FrameError> {
    loop {
        if let Some(frame) = incoming.next()? {
            return Ok(frame);
        }
        incoming.receive(socket)?;
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn file(text: &str) -> OwnedFd {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        file.into()
    }

    #[test]
    fn messages_and_descriptors_arrive_together_and_in_order() {
        let (here, there) = pair();
        let mut outgoing = Outgoing::default();
        outgoing.push(&"first", vec![]).unwrap();
        outgoing.push(&"second", vec![file("a"), file("b")]).unwrap();
        outgoing.push(&"third", vec![file("c")]).unwrap();
        outgoing.flush(here.as_fd()).unwrap();
        assert!(outgoing.is_empty());
        let mut incoming = Incoming::with_descriptors();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let frame = receive_frame(&mut incoming, there.as_fd()).unwrap();
            let mut texts = String::new();
            for descriptor in frame.descriptors.iter().map(|it| it.try_clone().unwrap()) {
                File::from(descriptor).read_to_string(&mut texts).unwrap();
            }
            seen.push((frame.message::<String>().unwrap(), texts));
        }
        let wanted = [("first", ""), ("second", "ab"), ("third", "c")];
        assert_eq!(seen, wanted.map(|(one, two)| (one.to_owned(), two.to_owned())));
    }

    #[test]
    fn x14_a_frame_is_looked_at_before_it_is_believed() {
        let malformed = |header: [u8; 8]| {
            let (here, there) = pair();
            rustix::io::write(&here, &header).unwrap();
            let mut incoming = Incoming::without_descriptors();
            incoming.receive(there.as_fd()).unwrap();
            matches!(incoming.next(), Err(FrameError::Malformed(_)))
        };
        assert!(malformed([0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0]), "too long");
        assert!(malformed([1, 0, 0, 0, 1, 0, 1, 0]), "descriptors that nobody takes");
        assert!(malformed([1, 0, 0, 0, 0, 0, 2, 0]), "another version");
        assert!(!malformed([1, 0, 0, 0, 0, 0, 1, 0]), "half a frame is none yet");
    }

    #[test]
    fn x14_a_body_is_one_message_and_nothing_else() {
        let frame = |body: &[u8]| Frame { body: body.to_vec(), descriptors: Vec::new() };
        assert_eq!(frame(&[5]).message::<u8>().unwrap(), 5);
        assert!(frame(&[5, 6]).message::<u8>().is_err());
        assert!(frame(&[]).message::<u8>().is_err());
        assert!(frame(&[0xff; 20]).message::<String>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn x14_no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let (here, there) = pair();
            rustix::io::write(&here, &bytes).unwrap();
            drop(here);
            let mut incoming = Incoming::with_descriptors();
            while let Ok(frame) = receive_frame(&mut incoming, there.as_fd()) {
                let _ = frame.message::<(u32, String, Vec<u64>)>();
            }
        }
    }
}
