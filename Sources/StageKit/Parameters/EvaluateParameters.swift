extension Parameters {
    static let evaluate: [Parameter] = []
}
