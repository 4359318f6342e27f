//! The models that recognisers can load: which there are, and whether a file still is what was added.
//!
//! Owns: the directory of models with its manifest, `models.json`, and the names by which jobs ask.
//! Never: takes a name for a path: a model's file is named by its digest.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::jobfile::bounds::MODEL_NAME_BYTES_MAX;
use pframe_core::jobfile::is_model_name;
use pframe_core::units::ByteSize;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::pocketsphinx::{self, Installation};
use crate::data::results::sync_directory;

/// The name of the model that comes with Debian's packages.
pub(crate) const POCKETSPHINX: &str = "pocketsphinx";
const MANIFEST: &str = "models.json";
const LOCK: &str = "models.lock";
/// Bytes that are read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Who can load a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    /// The library of that name.
    PocketSphinx,
    /// whisper.cpp.
    Whisper,
    /// The recogniser of the tests.
    Scripted,
}

impl Family {
    /// Those whose models are files that can be added.
    #[cfg(feature = "scripted")]
    pub(crate) const ADDABLE: &[&str] = &["whisper", "scripted"];
    #[cfg(not(feature = "scripted"))]
    pub(crate) const ADDABLE: &[&str] = &["whisper"];

    /// The family of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let all = [Self::PocketSphinx, Self::Whisper, Self::Scripted];
        all.into_iter().find(|family| family.name() == name)
    }

    /// As it is shown and written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PocketSphinx => "pocketsphinx",
            Self::Whisper => "whisper",
            Self::Scripted => "scripted",
        }
    }

    /// True where one process can listen to several windows with one model in memory. The library behind PocketSphinx keeps
    /// everything for each decoder; a process for each then confines what goes wrong.
    pub(crate) fn shares_weights(self) -> bool {
        match self {
            Self::PocketSphinx | Self::Scripted => false,
            Self::Whisper => true,
        }
    }

    /// Memory of a process with so many seats and a model of this size.
    pub(super) fn memory_max(self, seats: u32, model: ByteSize) -> ByteSize {
        let (process, seat) = match self {
            // 91 MB are seen; a long window in noise takes more.
            Self::PocketSphinx => (ByteSize::mib(256), ByteSize::mib(512)),
            // A state reserves 500 MB for the plans of its six graphs and hardly touches them; then come some 180 MB of buffers
            // with base, and 600 with large-v3.
            Self::Whisper => (ByteSize::mib(512), ByteSize(model.bytes() / 2 + (768 << 20))),
            Self::Scripted => (ByteSize::mib(128), ByteSize::mib(64)),
        };
        ByteSize(process.bytes() + model.bytes() * 2 + seat.bytes() * u64::from(seats))
    }
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Model {
    /// By which jobs ask for it.
    pub(crate) name: String,
    pub(crate) family: Family,
    /// Of its file; for PocketSphinx of all its files.
    pub(crate) sha256: Digest,
    pub(crate) size: ByteSize,
    /// Codes of the languages that it knows; empty where it does not say.
    pub(crate) languages: Vec<String>,
}

/// What was added.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    models: Vec<Model>,
}

const VERSION: u32 = 1;

/// All models of this host.
#[derive(Debug, Clone)]
pub(crate) struct Models {
    directory: PathBuf,
}

fn unusable(what: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::new(Code::StateUnusable).detail(format!("models: `{}`: {error}", what.display()))
}

impl Models {
    /// Those in this directory, which need not exist.
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// All of them, in the order of their names.
    pub(crate) fn list(&self) -> Result<Vec<Model>, Fault> {
        let mut models = self.manifest()?.models;
        models.extend(pocketsphinx_model());
        models.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(models)
    }

    /// The model of this name.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Model>, Fault> {
        let models = self.list()?;
        let known: Vec<_> = models.iter().map(|model| format!("`{}`", model.name)).collect();
        let found = models.into_iter().find(|model| model.name == name);
        found.map(Arc::new).ok_or_else(|| {
            let known = if known.is_empty() { "there are none".into() } else { known.join(", ") };
            let how = match name {
                POCKETSPHINX => pocketsphinx::INSTALL.to_owned(),
                _ => "`pframe-host models add NAME FILE` adds one".to_owned(),
            };
            Fault::new(Code::ModelMissing)
                .detail(format!("`{}`; known: {known}; {how}", name.escape_debug()))
        })
    }

    /// The open file of a model, checked to be what was added; none for a library that finds its own.
    pub(crate) fn open(&self, model: &Model) -> Result<Option<File>, Fault> {
        if model.family == Family::PocketSphinx {
            return Ok(None);
        }
        let path = self.path(&model.sha256);
        let file = File::open(&path).map_err(|error| unusable(&path, &error))?;
        let (sha256, _) = digest(&file).map_err(|error| unusable(&path, &error))?;
        match sha256 == model.sha256 {
            true => Ok(Some(file)),
            false => Err(Fault::new(Code::ModelDamaged).detail(format!(
                "`{}`: its file has sha256 {sha256}, and {} was added",
                model.name, model.sha256
            ))),
        }
    }

    /// Copies a file in and gives it a name. A name that is taken, or a file that came to another digest than was told, is
    /// refused, and nothing is left behind.
    pub(crate) fn add(
        &self,
        name: &str,
        file: &Path,
        family: Family,
        wanted: Option<Digest>,
    ) -> Result<Model, Fault> {
        check_name(name)?;
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        if name == POCKETSPHINX || manifest.models.iter().any(|model| model.name == name) {
            let what =
                format!("`{name}` is there already; `pframe-host models remove {name}` first");
            return Err(Fault::new(Code::ModelName).detail(what));
        }
        let missing = |why: &dyn std::fmt::Display| {
            Fault::new(Code::InputMissing).detail(format!("`{}`: {why}", file.display()))
        };
        // Before it is opened: to open a pipe is to wait for somebody.
        if !fs::metadata(file).map_err(|error| missing(&error))?.is_file() {
            return Err(missing(&"not a regular file"));
        }
        let source = File::open(file).map_err(|error| missing(&error))?;
        check_head(&source, family).map_err(|why| {
            Fault::new(Code::ModelDamaged).detail(format!("`{}`: {why}", file.display()))
        })?;
        fs::create_dir_all(&self.directory).map_err(|error| unusable(&self.directory, &error))?;
        let mut copy = tempfile::NamedTempFile::new_in(&self.directory)
            .map_err(|error| unusable(&self.directory, &error))?;
        let copied = copy_and_digest(&source, copy.as_file_mut());
        let (sha256, size) = copied.map_err(|error| unusable(&self.directory, &error))?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != sha256) {
            return Err(Fault::new(Code::ModelDamaged)
                .detail(format!("`{}` has sha256 {sha256}, not {wanted}", file.display())));
        }
        let model = Model { name: name.into(), family, sha256, size, languages: Vec::new() };
        copy.as_file().sync_all().map_err(|error| unusable(&self.directory, &error))?;
        let path = self.path(&sha256);
        copy.persist(&path).map_err(|error| unusable(&path, &error.error))?;
        manifest.models.push(model.clone());
        self.keep(&manifest)?;
        Ok(model)
    }

    /// Forgets a model, and its file unless another has the same.
    pub(crate) fn remove(&self, name: &str) -> Result<Model, Fault> {
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        let Some(at) = manifest.models.iter().position(|model| model.name == name) else {
            return Err(self.find(name).map_or_else(
                |fault| fault,
                |_| {
                    let what = format!("`{name}` belongs to Debian's packages; apt-get removes it");
                    Fault::new(Code::ModelName).detail(what)
                },
            ));
        };
        let model = manifest.models.remove(at);
        self.keep(&manifest)?;
        if manifest.models.iter().all(|other| other.sha256 != model.sha256) {
            let path = self.path(&model.sha256);
            fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
        }
        Ok(model)
    }

    /// Held while the manifest is read, changed and written: two commands at once come one after the other.
    fn lock(&self) -> Result<File, Fault> {
        fs::create_dir_all(&self.directory).map_err(|error| unusable(&self.directory, &error))?;
        let path = self.directory.join(LOCK);
        let file = File::create(&path).map_err(|error| unusable(&path, &error))?;
        file.lock().map_err(|error| unusable(&path, &error))?;
        Ok(file)
    }

    fn path(&self, sha256: &Digest) -> PathBuf {
        self.directory.join(format!("{sha256}.model"))
    }

    fn manifest(&self) -> Result<Manifest, Fault> {
        let path = self.directory.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Manifest { version: VERSION, models: Vec::new() });
            }
            Err(error) => return Err(unusable(&path, &error)),
        };
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|error| unusable(&path, &error))?;
        match manifest.version {
            VERSION => Ok(manifest),
            newer => Err(unusable(&path, &format!("its version is {newer}, not {VERSION}"))),
        }
    }

    /// The manifest is there as a whole, old or new, whatever happens.
    fn keep(&self, manifest: &Manifest) -> Result<(), Fault> {
        let failed = |error: &dyn std::fmt::Display| unusable(&self.directory, error);
        let mut file = tempfile::NamedTempFile::new_in(&self.directory).map_err(|e| failed(&e))?;
        let text = serde_json::to_string_pretty(manifest).expect("plain data");
        file.write_all(text.as_bytes()).map_err(|e| failed(&e))?;
        file.as_file().sync_all().map_err(|e| failed(&e))?;
        file.persist(self.directory.join(MANIFEST)).map_err(|e| failed(&e.error))?;
        sync_directory(&self.directory)
    }
}

/// The first bytes of a model of whisper.cpp.
const GGML: [u8; 4] = 0x6767_6d6c_u32.to_le_bytes();

/// Whether a file is what it is taken for, as far as its first bytes say; the rest is seen when it is loaded, in a jail.
fn check_head(file: &File, family: Family) -> Result<(), String> {
    use std::os::unix::fs::FileExt;

    let mut head = [0; GGML.len()];
    let is_ggml = file.read_exact_at(&mut head, 0).is_ok() && head == GGML;
    match family {
        Family::Whisper if !is_ggml => Err("it is no model of Whisper in ggml form".into()),
        Family::Whisper | Family::PocketSphinx | Family::Scripted => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    if is_model_name(name) {
        return Ok(());
    }
    Err(Fault::new(Code::ModelName).detail(format!(
        "`{}`: a name has 1 to {MODEL_NAME_BYTES_MAX} letters, digits, `.`, `-` or `_`",
        name.escape_debug()
    )))
}

/// What Debian's packages brought, if they are there. Its files are read once, and again when they change.
fn pocketsphinx_model() -> Option<Model> {
    static KNOWN: Mutex<Option<(Vec<SystemTime>, Model)>> = Mutex::new(None);
    let files = Installation::find()?.files();
    let changed = files.iter().map(|file| fs::metadata(file)?.modified());
    let changed = changed.collect::<std::io::Result<Vec<_>>>().ok()?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, model)) = known.as_ref().filter(|(at, _)| *at == changed) {
        return Some(model.clone());
    }
    let model = read_pocketsphinx_model()?;
    *known = Some((changed, model.clone()));
    Some(model)
}

fn read_pocketsphinx_model() -> Option<Model> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    for path in Installation::find()?.files() {
        let (digest, bytes) = digest(&File::open(path).ok()?).ok()?;
        hasher.update(digest.0);
        size += bytes.bytes();
    }
    Some(Model {
        name: POCKETSPHINX.into(),
        family: Family::PocketSphinx,
        sha256: Digest(hasher.finalize().into()),
        size: ByteSize(size),
        languages: vec!["en".into()],
    })
}

fn digest(file: &File) -> std::io::Result<(Digest, ByteSize)> {
    copy_and_digest(file, &mut std::io::sink())
}

fn copy_and_digest(mut from: &File, to: &mut impl Write) -> std::io::Result<(Digest, ByteSize)> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut size = 0;
    loop {
        let count = from.read(&mut block)?;
        if count == 0 {
            return Ok((Digest(hasher.finalize().into()), ByteSize(size)));
        }
        hasher.update(&block[..count]);
        to.write_all(&block[..count])?;
        size += count as u64;
    }
}
