//! Trace context: W3C `traceparent`, B3 single and multi header, `x-request-id`. Kept, or begun.

/// Trace and span of one hop of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Trace id, shared by all hops.
    pub trace_id: u128,
    /// Span of this hop.
    pub span_id: u64,
    /// Span of the caller; 0 when the trace begins here.
    pub parent_id: u64,
    /// Whether spans are recorded.
    pub sampled: bool,
}
