"""What every operator page shares: menu, org scope, forms from schemas, components."""
