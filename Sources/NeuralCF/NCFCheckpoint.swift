/// A training after an epoch: all that it needs to go on and to end in the same model, bit by bit.
package struct NCFCheckpoint: Sendable {
    /// The best epoch so far.
    package struct Best: Sendable {
        package var record: EpochRecord
        package var weights: [Float]

        package init(record: EpochRecord, weights: [Float]) { (self.record, self.weights) = (record, weights) }
    }

    /// nil: the fit is being trained; else it is done and the refit is being trained.
    package var fit: NCFFit?
    package var linear: LinearPart
    /// Of the fit or of the refit, whichever is being trained.
    package var history: [EpochRecord]
    /// Of the fit.
    package var best: Best?
    package var trainer: TowerTrainer.State
    /// By which the learning rate falls.
    package var plannedSteps: Int
    /// What later losses are held against.
    package var startLoss: Double?

    package init(
        fit: NCFFit?, linear: LinearPart, history: [EpochRecord], best: Best?, trainer: TowerTrainer.State,
        plannedSteps: Int, startLoss: Double?
    ) {
        (self.fit, self.linear, self.history, self.best) = (fit, linear, history, best)
        (self.trainer, self.plannedSteps, self.startLoss) = (trainer, plannedSteps, startLoss)
    }

    package var epoch: Int { history.last?.epoch ?? 0 }
}
