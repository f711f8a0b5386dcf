mod again;
mod changed;
mod faults;
mod model;
mod union;
