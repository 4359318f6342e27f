//! Contact sheets: many thumbnails on one JPEG.
//!
//! Owns: the grid, and which thumbnail lies where.
//! Never: grows with the number of thumbnails: a page has 64 cells, and a single sheet has smaller cells.

use pframe_guest::{Failure, Partials};

use crate::decode::decode_thumbnail;
use crate::fit::plan;
use crate::parameters::{Colour, Fit, Parameters, Quality};
use crate::picture::Picture;
use crate::record::{self, Record};
use crate::scale::scale;
use crate::thumbnail::encode_jpeg;

/// The side of a cell of a page in pixels.
const PAGE_CELL: u32 = 160;
/// Columns and rows of a page.
const PAGE_SIDE: usize = 8;
const PAGE_CELLS: usize = PAGE_SIDE * PAGE_SIDE;
/// Cells of a single sheet: the first that lets all thumbnails fit.
const CELLS: [u32; 6] = [160, 80, 40, 20, 10, 4];
/// The longest side of a single sheet: its pixels take 48 MiB.
const SHEET_SIDE_MAX: u32 = 4096;
/// The gap between cells is this part of a cell.
const GAP_SHARE: u32 = 20;

/// Where a thumbnail lies among the pages; rows and columns count from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sheet: String,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// Where the thumbnail at `index`, from 0, lies among `count`.
pub(crate) fn place(index: usize, count: usize) -> Place {
    let cell = index % PAGE_CELLS;
    let sheet = page_name(index / PAGE_CELLS, count);
    Place { sheet, row: cell / PAGE_SIDE + 1, column: cell % PAGE_SIDE + 1 }
}

/// Shows the pages of `count` thumbnails, each with its name.
pub(crate) fn pages(
    parts: &Partials,
    count: usize,
    parameters: &Parameters,
    mut show: impl FnMut(&str, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut sheet: Option<Sheet> = None;
    let mut done = 0;
    record::each(parts, |record| {
        let left = (count - done).min(PAGE_CELLS);
        let grid = sheet.get_or_insert_with(|| Sheet::new(Grid::page(left), parameters.background));
        grid.add(&record)?;
        done += 1;
        match sheet.take_if(|_| done == count || done.is_multiple_of(PAGE_CELLS)) {
            None => Ok(()),
            Some(full) => {
                let name = page_name((done - 1) / PAGE_CELLS, count);
                show(&name, &full.encode(parameters.quality)?)
            }
        }
    })
}

/// One sheet with all thumbnails.
pub(crate) fn single(parts: &Partials, parameters: &Parameters) -> Result<Vec<u8>, Failure> {
    let count = record::count(parts)?;
    let grid = Grid::single(count).ok_or_else(|| {
        Failure::invalid(format!("{count} thumbnails do not fit on one sheet: `result: archive`"))
    })?;
    let mut sheet = Sheet::new(grid, parameters.background);
    record::each(parts, |record| sheet.add(&record))?;
    sheet.encode(parameters.quality)
}

fn page_name(page: usize, count: usize) -> String {
    match count <= PAGE_CELLS {
        true => "contact-sheet.jpg".into(),
        false => format!("contact-sheet-{:04}.jpg", page + 1),
    }
}

/// Square cells with gaps around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    cell: u32,
    columns: usize,
    rows: usize,
}

impl Grid {
    fn page(count: usize) -> Self {
        let columns = count.clamp(1, PAGE_SIDE);
        Self { cell: PAGE_CELL, columns, rows: count.div_ceil(columns).max(1) }
    }

    fn single(count: usize) -> Option<Self> {
        let root = count.isqrt();
        let columns = if root * root < count { root + 1 } else { root.max(1) };
        let rows = count.div_ceil(columns).max(1);
        let grids = CELLS.map(|cell| Self { cell, columns, rows });
        grids.into_iter().find(|grid| grid.width() <= SHEET_SIDE_MAX)
    }

    /// Bounded before it is computed: a job has fewer chunks than 32 bits can count.
    fn width(self) -> u32 {
        self.length(self.columns)
    }

    fn height(self) -> u32 {
        self.length(self.rows)
    }

    fn length(self, cells: usize) -> u32 {
        let gap = self.cell / GAP_SHARE;
        u32::try_from(cells).unwrap_or(u32::MAX).saturating_mul(self.cell + gap).saturating_add(gap)
    }

    /// The left upper corner of a cell.
    fn corner(self, index: usize) -> (u32, u32) {
        (self.length(index % self.columns), self.length(index / self.columns))
    }
}

/// A sheet that is being filled.
struct Sheet {
    grid: Grid,
    background: Colour,
    pixels: Vec<u8>,
    filled: usize,
}

impl Sheet {
    fn new(grid: Grid, background: Colour) -> Self {
        let pixels = grid.width() as usize * grid.height() as usize;
        Self { grid, background, pixels: background.0.repeat(pixels), filled: 0 }
    }

    /// Puts a thumbnail into the middle of the next cell.
    fn add(&mut self, record: &Record) -> Result<(), Failure> {
        let thumbnail = &record.thumbnail;
        let picture = decode_thumbnail(&thumbnail.bytes, thumbnail.format)?;
        let cell = self.grid.cell;
        let plan = plan((picture.width, picture.height), (cell, cell), Fit::Contain);
        let small = scale(&picture, &plan);
        let (x, y) = self.grid.corner(self.filled);
        self.put(&small, x + (cell - small.width) / 2, y + (cell - small.height) / 2);
        self.filled += 1;
        Ok(())
    }

    fn put(&mut self, picture: &Picture, x: u32, y: u32) {
        let pixels = picture.opaque(self.background);
        let row_bytes = picture.width as usize * 3;
        for (row, pixels) in pixels.chunks_exact(row_bytes).enumerate() {
            let at = ((y as usize + row) * self.grid.width() as usize + x as usize) * 3;
            self.pixels[at..at + row_bytes].copy_from_slice(pixels);
        }
    }

    fn encode(self, quality: Quality) -> Result<Vec<u8>, Failure> {
        encode_jpeg(&self.pixels, (self.grid.width(), self.grid.height()), quality)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_large_as_its_cells() {
        let size = |count| (Grid::page(count).width(), Grid::page(count).height());
        assert_eq!((size(1), size(9), size(64)), ((176, 176), (1352, 344), (1352, 1352)));
    }

    #[test]
    fn a_single_sheet_has_smaller_cells_rather_than_a_larger_side() {
        let check = |count, expect| {
            let grid = Grid::single(count).map(|it| (it.cell, it.columns, it.rows, it.width()));
            assert_eq!(grid, expect, "{count}");
        };
        check(0, Some((160, 1, 1, 176)));
        check(1, Some((160, 1, 1, 176)));
        check(3, Some((160, 2, 2, 344)));
        check(576, Some((160, 24, 24, 4040)));
        check(577, Some((80, 25, 24, 2104)));
        check(100_000, Some((10, 317, 316, 3170)));
        check(1_000_000, Some((4, 1000, 1000, 4000)));
        check(1_100_000, None);
    }

    #[test]
    fn a_place_names_sheet_row_and_column() {
        let check = |index, count, sheet: &str, row, column| {
            assert_eq!(place(index, count), Place { sheet: sheet.into(), row, column });
        };
        check(9, 64, "contact-sheet.jpg", 2, 2);
        check(64, 65, "contact-sheet-0002.jpg", 1, 1);
    }
}
