//! `mcwanctl render`: the objects that the controller would make of manifests.

use std::io::Write;

use mcwan_k8s::manifest::to_yaml;
use mcwan_k8s::object::Object;

use crate::args::{RenderArgs, RenderOutput};
use crate::check::Report;
use crate::input::{Input, InputError};

/// Renders; objects go to `out`, problems to `err`. True when everything that was asked for is done: warnings alone do
/// not stop `mcwanctl render … | kubectl apply -f -` in a script.
///
/// # Errors
/// When the files cannot be read, or the output not be written.
pub(crate) fn run(
    args: &RenderArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<bool> {
    let cluster = args.cluster.as_deref();
    let input = Input::read(&args.file, cluster)?;
    let chosen = input.chosen(cluster);
    let (Some(name), None) = (chosen.first(), chosen.get(1)) else {
        let known = chosen.into_iter().map(str::to_owned).collect();
        return Err(InputError::WhichCluster(known).into());
    };
    let Some(files) = input.clusters.get(*name) else {
        return Ok(false);
    };
    let outcome = input.outcome(name);
    write_objects(&outcome.objects, args.output, out)?;
    let report = Report::new(name, files, outcome.problems);
    if report.count() > 0 {
        report.write(err)?;
    }
    Ok(report.is_served())
}

fn write_objects(
    objects: &[Object],
    output: RenderOutput,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match output {
        RenderOutput::Yaml => write!(out, "{}", to_yaml(objects))?,
        RenderOutput::Json => {
            let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
            writeln!(out, "{list:#}")?;
        }
    }
    Ok(())
}
