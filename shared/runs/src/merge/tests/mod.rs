mod again;
mod changed;
mod faults;
mod lying;
mod model;
mod union;
