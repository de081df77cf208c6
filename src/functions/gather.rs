//! What each function cost, added up over the archives of runs that are read one after another.

use std::collections::{BTreeMap, HashMap};

use super::measured::Measured;
use crate::manifest::Manifest;
use crate::report::{ProfileStore, Tree, compared};
use crate::verdict::{FunctionCost, Scatter, Totals};

/// What the functions of all wanted numbers cost.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) numbers: Vec<OfNumber>,
    /// How many earlier and how many new runs there are.
    pub(super) earlier: usize,
    pub(super) new: usize,
}

/// What the functions of one number cost.
#[derive(Debug)]
pub(super) struct OfNumber {
    pub(super) measured: Measured,
    pub(super) totals: Totals,
    pub(super) functions: BTreeMap<String, Function>,
    /// All stacks of the earlier and of the new runs.
    pub(super) trees: [Tree; 2],
}

/// What one function cost: by itself, and with what it called.
#[derive(Debug, Default)]
pub(super) struct Function {
    pub(super) own: Sums,
    pub(super) cumulative: Sums,
}

/// A cost in several runs.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) earlier: Vec<f64>,
    pub(super) new: f64,
    samples: f64,
    pods: Scatter,
}

/// The pods of a run that do the same, so that they can be held against each other.
#[derive(Debug, Default)]
struct Alike {
    pods: usize,
    total: f64,
    /// By function, of its own samples and of those with what it called: the sum, and that of the squares by the pod's total.
    samples: HashMap<String, [[f64; 2]; 2]>,
}

impl Gathered {
    pub(super) fn new(wanted: &[Measured]) -> Self {
        let number = |measured: &Measured| OfNumber {
            measured: *measured,
            totals: Totals::default(),
            functions: BTreeMap::new(),
            trees: [(); 2].map(|()| empty()),
        };
        Self {
            numbers: wanted.iter().map(number).collect(),
            earlier: 0,
            new: 0,
        }
    }

    /// Adds a run's profiles. Gives the first thing that could not be read of them.
    pub(super) fn add(
        &mut self,
        manifest: &Manifest,
        store: &ProfileStore,
        is_new: bool,
    ) -> Option<String> {
        let unread = store.unread().into_iter().next();
        let mut fault = unread.map(|unread| format!("{}: {}", unread.path, unread.why));
        if is_new {
            self.new += 1;
        } else {
            self.earlier += 1;
        }
        for number in &mut self.numbers {
            let why = number.add(manifest, store, is_new);
            fault = fault.or(why);
        }
        fault
    }
}

impl OfNumber {
    /// Whether there is anything to compare.
    pub(super) fn has_both(&self) -> bool {
        self.totals.new > 0.0 && self.totals.earlier.iter().any(|total| *total > 0.0)
    }

    fn add(&mut self, manifest: &Manifest, store: &ProfileStore, is_new: bool) -> Option<String> {
        let (mut run, mut alike, mut fault) = (empty(), [Alike::default(), Alike::default()], None);
        let measured = self.measured;
        let added = store.each_of(measured.group(), |pod, profile| {
            match profile.and_then(|mut profile| measured.tree(&mut profile)) {
                Ok(tree) => {
                    let mut of_pod = empty();
                    of_pod.absorb_as(&tree, compared);
                    let leads = manifest.lead(measured.component, pod).is_some();
                    alike[usize::from(leads)].add(&of_pod);
                    run.absorb(&of_pod);
                }
                Err(error) => {
                    fault.get_or_insert_with(|| format!("{pod}: {error}"));
                }
            }
            Ok::<_, std::convert::Infallible>(())
        });
        match added {
            Ok(()) => self.add_run(&run, &alike, is_new),
            Err(never) => match never {},
        }
        fault
    }

    fn add_run(&mut self, run: &Tree, alike: &[Alike; 2], is_new: bool) {
        let total = total(run);
        if total <= 0.0 {
            return;
        }
        let earlier = self.totals.earlier.len();
        if is_new {
            self.totals.new += total;
        } else {
            self.totals.earlier.push(total);
        }
        self.trees[usize::from(is_new)].absorb(run);
        let samples: HashMap<_, _> = run
            .top(1, usize::MAX)
            .into_iter()
            .map(|row| (row.name, (row.own, row.cumulative)))
            .collect();
        for row in run.top(0, usize::MAX) {
            let (own, cumulative) = samples.get(&row.name).copied().unwrap_or_default();
            let function = self.functions.entry(row.name).or_default();
            let both = [
                (&mut function.own, row.own, own),
                (&mut function.cumulative, row.cumulative, cumulative),
            ];
            for (sums, cost, samples) in both {
                sums.samples += Measured::samples(samples);
                if is_new {
                    sums.new += cost as f64;
                } else {
                    sums.earlier.resize(earlier, 0.0);
                    sums.earlier.push(cost as f64);
                }
            }
        }
        // A change that is in some pods alone is not to hide behind the scatter that it makes.
        if !is_new {
            for alike in alike {
                alike.scatter(&mut self.functions);
            }
        }
    }
}

impl Alike {
    fn add(&mut self, pod: &Tree) {
        let total = total(pod);
        if total <= 0.0 {
            return;
        }
        self.pods += 1;
        self.total += total;
        for row in pod.top(1, usize::MAX) {
            let sums = self.samples.entry(row.name).or_default();
            for (sums, samples) in sums.iter_mut().zip([row.own, row.cumulative]) {
                let samples = Measured::samples(samples);
                sums[0] += samples;
                sums[1] += samples * samples / total;
            }
        }
    }

    /// Adds to each function how its share scatters over these pods.
    fn scatter(&self, functions: &mut BTreeMap<String, Function>) {
        if self.pods < 2 {
            return;
        }
        for (name, [own, cumulative]) in &self.samples {
            let Some(function) = functions.get_mut(name) else {
                continue;
            };
            for (sums, [all, squares]) in [
                (&mut function.own, own),
                (&mut function.cumulative, cumulative),
            ] {
                if *all > 0.0 {
                    sums.pods.squares += squares * self.total / all - all;
                    sums.pods.degrees += self.pods as f64 - 1.0;
                }
            }
        }
    }
}

impl Sums {
    /// What all earlier runs have.
    pub(super) fn of_earlier(&self) -> f64 {
        self.earlier.iter().sum()
    }

    /// The cost of one sample.
    pub(super) fn of_sample(&self) -> f64 {
        if self.samples > 0.0 {
            (self.of_earlier() + self.new) / self.samples
        } else {
            1.0
        }
    }

    /// The cost as it is judged, of so many earlier runs.
    pub(super) fn cost(&self, runs: usize) -> FunctionCost {
        let of_sample = self.of_sample();
        let mut earlier: Vec<_> = self.earlier.iter().map(|cost| cost / of_sample).collect();
        earlier.resize(runs, 0.0);
        FunctionCost {
            earlier,
            new: self.new / of_sample,
            pods: self.pods,
        }
    }
}

fn empty() -> Tree {
    Tree::new(vec![Default::default(); 2])
}

fn total(tree: &Tree) -> f64 {
    tree.totals().first().copied().unwrap_or_default() as f64
}
