//! The frames by which a tree's value is shown, with what is too small to be seen in one frame, so that sums stay as they
//! are.

use crate::report::fold::DEEPEST;
use crate::report::tree::Tree;

/// The shares of the whole below which frames are folded: the first one that leaves few enough is taken.
const SHARES: [f64; 9] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

/// The frames of a value of a tree, each after the one that called it.
pub(super) struct Frames<'a> {
    tree: &'a Tree,
    /// The share of the whole below which frames were folded.
    pub(super) share: f64,
    /// All of them. The first one is the whole.
    pub(super) all: Vec<Frame>,
}

/// A frame.
pub(super) struct Frame {
    /// How many frames are above it.
    pub(super) depth: u32,
    what: What,
    /// The value that is its own.
    pub(super) own: i64,
    /// Its value with all that it called.
    pub(super) cumulative: i64,
    /// What grew and what shrank in it, both added up: its width. It is `cumulative` where nothing is negative.
    pub(super) width: i64,
}

/// What a frame shows.
#[derive(Clone, Copy)]
enum What {
    All,
    Function(u32),
    Small(u64),
    Deep(u64),
}

/// The sums of each node with all that it called.
struct Sums {
    gained: Vec<i64>,
    lost: Vec<i64>,
    nodes: Vec<u64>,
}

/// What is folded into one frame.
#[derive(Default)]
struct Rest {
    gained: i64,
    lost: i64,
    nodes: u64,
}

/// What is to be done on the way through a tree.
enum Step {
    Enter(usize, u32),
    Rest(Rest, u32, bool),
}

/// The tree's value of this index in at most so many frames, roughly.
pub(super) fn frames(tree: &Tree, value: usize, most: usize) -> Frames<'_> {
    let own = tree.own(value);
    let sums = Sums::of(tree, &own);
    let called = Called::of(tree, &sums);
    let whole = sums.width(0) as f64;
    let frames_of = |share: f64| {
        let nodes = 0..tree.nodes().len();
        nodes
            .filter(|node| sums.width(*node) as f64 >= whole * share)
            .count()
    };
    let share = SHARES.into_iter().find(|share| frames_of(*share) <= most);
    let share = share.unwrap_or(SHARES[SHARES.len() - 1]);
    let mut frames = Frames {
        tree,
        share,
        all: Vec::new(),
    };
    let mut steps = vec![Step::Enter(0, 0)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Enter(node, depth) => {
                frames.push(node, depth, &own, &sums);
                let mut rest = Rest::default();
                let (mut kept, is_deepest) = (Vec::new(), depth >= DEEPEST);
                for node in called.by(node) {
                    let node = *node as usize;
                    if is_deepest || (sums.width(node) as f64) < whole * share {
                        rest.add(node, &sums);
                    } else {
                        kept.push(Step::Enter(node, depth + 1));
                    }
                }
                steps.push(Step::Rest(rest, depth + 1, is_deepest));
                steps.extend(kept.into_iter().rev());
            }
            Step::Rest(rest, depth, is_deepest) => frames.push_rest(&rest, depth, is_deepest),
        }
    }
    frames
}

/// How many frames the tree's value of this index has that are not too small to be seen.
pub(super) fn count(tree: &Tree, value: usize) -> usize {
    let sums = Sums::of(tree, &tree.own(value));
    let least = sums.width(0) as f64 * SHARES[0];
    let nodes = 0..tree.nodes().len();
    nodes
        .filter(|node| sums.width(*node) as f64 >= least)
        .count()
}

impl Frames<'_> {
    /// What a frame is called.
    pub(super) fn name(&self, frame: &Frame) -> String {
        match frame.what {
            What::All => "all".to_owned(),
            What::Function(name) => self.tree.name(name).to_owned(),
            What::Small(1) => "(1 small frame)".to_owned(),
            What::Small(frames) => format!("({frames} small frames)"),
            What::Deep(1) => "(1 deeper frame)".to_owned(),
            What::Deep(frames) => format!("({frames} deeper frames)"),
        }
    }

    /// The width of the whole.
    pub(super) fn whole(&self) -> i64 {
        self.all.first().map_or(0, |frame| frame.width)
    }

    fn push(&mut self, node: usize, depth: u32, own: &[i64], sums: &Sums) {
        let (id, of) = (node as u32, self.tree.nodes()[node]);
        let what = match self.tree.small_frames(id) {
            0 if node == 0 => What::All,
            0 => What::Function(of.name),
            frames => What::Small(u64::from(frames)),
        };
        self.all.push(Frame {
            depth,
            what,
            own: own[node],
            cumulative: sums.gained[node].saturating_add(sums.lost[node]),
            width: sums.width(node),
        });
    }

    /// One frame for what the folded ones gained, and one for what they lost.
    fn push_rest(&mut self, rest: &Rest, depth: u32, is_deepest: bool) {
        let what = if is_deepest {
            What::Deep(rest.nodes)
        } else {
            What::Small(rest.nodes)
        };
        for own in [rest.gained, rest.lost] {
            if own != 0 {
                self.all.push(Frame {
                    depth,
                    what,
                    own,
                    cumulative: own,
                    width: own.saturating_abs(),
                });
            }
        }
    }
}

impl Frame {
    /// Whether it is a function's, and neither the whole nor folded.
    pub(super) fn is_function(&self) -> bool {
        matches!(self.what, What::Function(_))
    }
}

impl Sums {
    fn of(tree: &Tree, own: &[i64]) -> Self {
        let mut sums = Self {
            gained: own.iter().map(|own| (*own).max(0)).collect(),
            lost: own.iter().map(|own| (*own).min(0)).collect(),
            nodes: Vec::with_capacity(own.len()),
        };
        let frames = |node: usize| u64::from(tree.small_frames(node as u32).max(1));
        sums.nodes.extend((0..own.len()).map(frames));
        for (node, of) in tree.nodes().iter().enumerate().skip(1).rev() {
            let caller = of.caller as usize;
            sums.gained[caller] = sums.gained[caller].saturating_add(sums.gained[node]);
            sums.lost[caller] = sums.lost[caller].saturating_add(sums.lost[node]);
            sums.nodes[caller] += sums.nodes[node];
        }
        sums
    }

    fn width(&self, node: usize) -> i64 {
        self.gained[node].saturating_sub(self.lost[node])
    }
}

impl Rest {
    fn add(&mut self, node: usize, sums: &Sums) {
        if sums.width(node) != 0 {
            self.gained = self.gained.saturating_add(sums.gained[node]);
            self.lost = self.lost.saturating_add(sums.lost[node]);
            self.nodes += sums.nodes[node];
        }
    }
}

/// The nodes that each node called, the widest first.
struct Called {
    first: Vec<u32>,
    nodes: Vec<u32>,
}

impl Called {
    fn of(tree: &Tree, sums: &Sums) -> Self {
        let callers = tree.nodes();
        let mut nodes: Vec<u32> = (1..callers.len() as u32).collect();
        nodes.sort_by_key(|node| {
            let node = *node as usize;
            let width = std::cmp::Reverse(sums.width(node));
            (callers[node].caller, width, callers[node].name)
        });
        let mut first = vec![0_u32; callers.len() + 1];
        for node in &nodes {
            first[callers[*node as usize].caller as usize + 1] += 1;
        }
        for caller in 1..first.len() {
            first[caller] += first[caller - 1];
        }
        Self { first, nodes }
    }

    fn by(&self, node: usize) -> &[u32] {
        &self.nodes[self.first[node] as usize..self.first[node + 1] as usize]
    }
}
