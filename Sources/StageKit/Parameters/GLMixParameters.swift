extension Parameters {
    static let glmix: [Parameter] = []
}
