/// Hyperparameters of neural collaborative filtering (docs/ncf.md says what each does and why its default holds).
package struct NCFParameters: Codable, Sendable, Equatable {
    /// How a watched course enters the learner tower.
    package enum LearnerRows: String, Codable, Sendable, CaseIterable {
        /// As its own row of the embedding table (multi-hot).
        case watched
        /// As its normalised co-watch row ("two-hop").
        case cowatch
    }

    package enum LearnerInput: String, Codable, Sendable, CaseIterable {
        /// Every watched course weighs 1.
        case sum
        /// exp(−a·log(1 + age in days) − b·log(1 + position from the end)), a and b learnt.
        case decay
        /// As two learnt queries weigh them, for long- and short-term interest (`Attention`).
        case attention
    }

    /// What stands beside trend and wide.
    package enum Model: String, Codable, Sendable, CaseIterable {
        /// Two towers over watched courses.
        case towers
        /// Models over the ids of learners and courses (`IdNetwork`).
        case idMLP = "id-mlp"
        case neuMF = "neumf"
    }

    package enum Output: String, Codable, Sendable, CaseIterable {
        /// u·v / temperature + course bias.
        case dot
        /// cos(u, v) / temperature.
        case cosine
    }

    package enum Loss: String, Codable, Sendable, CaseIterable {
        /// `softmax` up to `Loss.mostCoursesInFull` courses, beyond that `sampledSoftmax`.
        case auto
        case softmax
        case bce
        case sampledSoftmax = "sampled-softmax"
        case sampledBCE = "sampled-bce"

        /// Above this a step over every course costs more than it teaches.
        package static let mostCoursesInFull = 4_000

        package func resolved(courses: Int) -> Loss {
            self == .auto ? (courses <= Loss.mostCoursesInFull ? .softmax : .sampledSoftmax) : self
        }
    }

    /// What a drawn negative of `sampledBCE` counts.
    package enum NegativeWeight: String, Codable, Sendable, CaseIterable {
        /// 1/(expected number of its draws): unbiased for `bce`.
        case expected
        /// 1, as in the papers.
        case none
    }

    package enum Examples: String, Codable, Sendable, CaseIterable {
        case snapshots
        case rolling
        case both
        /// For data without an order of time: a cut hides each item with probability `hide`; these are the labels.
        case random
    }

    package enum RateSchedule: String, Codable, Sendable, CaseIterable {
        /// The rate is divided by 10 after two thirds of the planned steps.
        case step
        /// The rate falls to 0 along half a cosine over the planned steps.
        case cosine
    }

    package var model = Model.towers

    // The score.
    package var trend = true
    package var wide = true
    /// Towers enter only with a measured gain over trend + wide; without it α is always 1.
    package var guarded = true

    // The towers.
    package var learnerRows = LearnerRows.cowatch
    package var learnerInput = LearnerInput.sum
    /// Widths of the ReLU layers; the first is also the width of the embedding tables.
    package var hidden: [Int] = []
    package var embedding = 128
    package var output = Output.cosine
    package var temperature: Float = 0.1

    // The examples.
    package var examples = Examples.both
    package var cutsPerLearner = 8
    package var emptyShare = 0.2
    /// An epoch takes at most about so many examples, drawn anew each time.
    package var examplesPerEpoch = 131_072
    /// The share of the context that is dropped, anew each epoch.
    package var hide = 0.0

    // The optimisation.
    package var loss = Loss.auto
    /// Labels of an example share a weight of n^(1−ρ).
    package var rho = 0.5
    package var sharedNegatives = 4_000
    /// Of `sampledBCE`: draws per label, with probability ∝ popularity^negativePower.
    package var negatives = 4
    package var negativePower = 0.0
    package var negativeWeight = NegativeWeight.expected
    /// Examples of a step; 0: a 64th of the epoch, but 256 to 2,048.
    package var batch = 0
    package var epochs = 12
    package var patience = 3
    package var learningRate: Float = 5e-3
    package var schedule = RateSchedule.cosine
    package var dropout = 0.0
    package var l2: Float = 0
    package var seed: UInt64 = 1

    // Validation.
    package var validationLearners = 4_096
    /// Snapshot cuts from which trend and wide are fitted, at most.
    package var linearExamples = 8_192

    package init() {}

    package func batchSize(examples: Int) -> Int {
        batch > 0 ? batch : min(2_048, max(256, examples / 64))
    }

    package enum Preset: String, Codable, Sendable, CaseIterable { case published, linear, deep }

    package init(preset: Preset) {
        switch preset {
        case .linear: break
        case .deep:
            learnerRows = .watched
            learnerInput = .decay
            hidden = [128, 64]
            embedding = 32
            dropout = 0.2
            hide = 0.2
        case .published:
            (trend, wide, guarded) = (false, false, false)
            learnerRows = .watched
            hidden = [256, 128]
            embedding = 64
            output = .dot
            temperature = 1
            loss = .bce
            learningRate = 1e-3
        }
    }
}
